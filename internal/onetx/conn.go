package onetx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Conn is a connection of the server between two transactions. It is not safe for concurrent use.
type Conn struct {
	conn   net.Conn
	server *pgproto3.Frontend
	params map[string]string // what the session began with
	report map[string]string // ParameterStatus, as the session began
	pid    uint32
	status byte // of the last ReadyForQuery: I, T or E

	deferred  string // SQL that makes constraints deferred again that begin so
	looked    bool   // for them
	changed   bool   // they may be others than at the beginning
	statement int    // number of the last prepared statement

	canceller *pgconn.PgConn // for nothing else
}

// Connect opens a connection whose session begins with the given parameters, instead of those of config. The session will
// spend its life in one transaction after the other, each as long as a test, so it has no limits for those.
func Connect(ctx context.Context, config *pgconn.Config, params map[string]string) (*Conn, error) {
	config = config.Copy()
	config.RuntimeParams = maps.Clone(params)
	opened, err := connectUnlimited(ctx, config)
	if err != nil {
		return nil, err
	}
	hijacked, err := opened.Hijack()
	if err != nil {
		return nil, errors.Join(err, opened.Close(ctx))
	}
	canceller, err := pgconn.Construct(hijacked)
	if err != nil {
		return nil, errors.Join(err, hijacked.Conn.Close())
	}
	return &Conn{conn: hijacked.Conn, server: hijacked.Frontend, params: params, report: hijacked.ParameterStatuses, pid: hijacked.PID,
		status: hijacked.TxStatus, canceller: canceller}, nil
}

// connectUnlimited connects again if the DSN, the role or the database limits the session: RESET ALL gives back what it began with. A server
// refuses to begin with a setting that is newer, as transaction_timeout is before PostgreSQL 17, so it is asked first.
func connectUnlimited(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	const limits = "SELECT n FROM (VALUES ('transaction_timeout'), ('idle_in_transaction_session_timeout'), ('idle_session_timeout')) v (n) " +
		"WHERE pg_catalog.current_setting(n, true) <> '0'"
	results, err := conn.Exec(ctx, limits).ReadAll()
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	if len(results[0].Rows) == 0 {
		return conn, nil
	}
	for _, row := range results[0].Rows {
		config.RuntimeParams[string(row[0])] = "0"
	}
	_ = conn.Close(ctx) // the server may have ended it
	return pgconn.ConnectConfig(ctx, config)
}

// Params are what the session began with.
func (c *Conn) Params() map[string]string { return c.params }

// exec executes SQL without results, as one Query message. An error of the server is a *pgconn.PgError; after any other the
// connection is of no use.
func (c *Conn) exec(sql string) error {
	_, err := c.ask(sql)
	return err
}

// execAll sends several messages at once.
func (c *Conn) execAll(messages ...string) error {
	for _, sql := range messages {
		c.server.SendQuery(&pgproto3.Query{String: sql})
	}
	err := c.server.Flush()
	for range messages {
		if err != nil {
			return err
		}
		_, err = c.answer()
	}
	return err
}

// Close ends the session.
func (c *Conn) Close() error {
	c.server.Send(&pgproto3.Terminate{})
	_ = c.server.Flush() // the server may be gone
	return c.conn.Close()
}

// ask executes SQL and returns the first value of the last row, which is nil for NULL and without rows.
func (c *Conn) ask(sql string) (value []byte, err error) {
	c.server.SendQuery(&pgproto3.Query{String: sql})
	if err := c.server.Flush(); err != nil {
		return nil, err
	}
	return c.answer()
}

// answer reads what a message leads to.
func (c *Conn) answer() (value []byte, err error) {
	var failed error
	err = c.receive(func(msg pgproto3.BackendMessage) error {
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			value = append([]byte(nil), m.Values[0]...)
			if m.Values[0] == nil {
				value = nil
			}
		case *pgproto3.ErrorResponse:
			failed = pgconn.ErrorResponseToPgError(m)
		}
		return nil
	})
	return value, errors.Join(err, failed)
}

// receive passes on what the server sends, until it is ready.
func (c *Conn) receive(use func(pgproto3.BackendMessage) error) error {
	for {
		msg, err := c.server.Receive()
		if err != nil {
			return fmt.Errorf("the connection that all share is broken: %w", err)
		}
		switch m := msg.(type) {
		case *pgproto3.ReadyForQuery:
			c.status = m.TxStatus
			return nil
		case *pgproto3.ErrorResponse:
			if m.Severity == "FATAL" || m.Severity == "PANIC" {
				return pgconn.ErrorResponseToPgError(m)
			}
		}
		if err := use(msg); err != nil {
			return err
		}
	}
}

// cancel tells the server to cancel what it executes. When it returns, the server has been told: what is sent from then on is
// not meant.
func (c *Conn) cancel() {
	ctx, stop := context.WithTimeout(context.Background(), cancelLimit)
	defer stop()
	_ = c.canceller.CancelRequest(ctx) // then the statement goes on
}

const cancelLimit = 5 * time.Second
