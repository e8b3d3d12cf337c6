// Package migrations applies versioned SQL files in a schema, once, safely, for one schema or for thousands.
package migrations
