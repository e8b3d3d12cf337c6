//go:build !pgdbm_unguarded

package guard

// All guards are on, and cost nothing.
const (
	Session   = true
	Statement = true
	Path      = true
	Missing   = true
)
