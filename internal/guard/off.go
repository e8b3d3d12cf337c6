//go:build pgdbm_unguarded

package guard

// A test switches one off before it opens a database.
var (
	// Session: a connection whose session has something of one schema is closed before another borrower gets it.
	Session = true

	// Statement: an *sql.Stmt is prepared again for each schema.
	Statement = true

	// Path: with schema_mode=search_path each statement sets its path.
	Path = true

	// Missing: a path whose schema does not exist does not go on to public.
	Missing = true
)
