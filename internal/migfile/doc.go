// Package migfile reads migrations from files: their names, their folders, their directives, and their text as statements. It knows
// no database.
package migfile
