package native

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// preparedKey is the key among a connection's custom data.
const preparedKey = "github.com/pgdbm/pgdbm/internal/native"

// SetPrepared tells the driver what was prepared on a connection before the driver has it, by the texts.
func SetPrepared(conn *pgx.Conn, statements map[string]*pgconn.StatementDescription) {
	conn.PgConn().CustomData()[preparedKey] = statements
}

// Prepared returns what SetPrepared was given, or nil.
func Prepared(conn *pgx.Conn) map[string]*pgconn.StatementDescription {
	statements, _ := conn.PgConn().CustomData()[preparedKey].(map[string]*pgconn.StatementDescription)
	return statements
}
