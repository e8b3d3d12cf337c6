package schemadb

import "github.com/jmoiron/sqlx"

// The interfaces of other libraries are asserted in internal/peertests, which has a go.mod of its own.
var (
	_ Querier         = (*DB)(nil)
	_ Querier         = (*Tx)(nil)
	_ Querier         = (*Conn)(nil)
	_ sqlx.Ext        = (*DB)(nil)
	_ sqlx.Ext        = (*Tx)(nil)
	_ sqlx.Ext        = (*Conn)(nil)
	_ sqlx.ExtContext = (*DB)(nil)
	_ sqlx.ExtContext = (*Tx)(nil)
	_ sqlx.ExtContext = (*Conn)(nil)
)
