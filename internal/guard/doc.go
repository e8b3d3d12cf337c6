// Package guard has switches for what keeps tenants apart. They are constants, and on, unless a program is built with the tag
// pgdbm_unguarded: so that the soak test (examples/orms/soak) can show that it would find the rows of others. Nobody else uses
// that tag.
package guard
