package migrations_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
	"github.com/pgdbm/pgdbm/migrations"
)

// listener records the texts that are sent by the simple protocol.
type listener struct {
	mu    sync.Mutex
	texts []string
}

// open opens a pool of pgx whose connections are listened to.
func (w *listener) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = w.dial
	pool := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// dial connects to a server, and listens.
func (w *listener) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &heard{Conn: conn, listener: w}, err
}

type heard struct {
	net.Conn
	listener *listener
	begun    bool // the startup message, which has no type, was sent
	sent     []byte
}

func (c *heard) Write(b []byte) (int, error) {
	c.sent = append(c.sent, b...)
	for len(c.sent) >= 5 {
		kind := 1 // the bytes of a message's type
		if !c.begun {
			kind = 0
		}
		end := kind + int(binary.BigEndian.Uint32(c.sent[kind:]))
		if len(c.sent) < end {
			break
		}
		if c.begun && c.sent[0] == 'Q' {
			c.listener.mu.Lock()
			c.listener.texts = append(c.listener.texts, string(bytes.TrimRight(c.sent[5:end], "\x00")))
			c.listener.mu.Unlock()
		}
		c.begun, c.sent = true, c.sent[end:]
	}
	return c.Conn.Write(b)
}

// refusedByCitus says why Citus refuses a message, or "".
func refusedByCitus(t *testing.T, text string, shared bool) string {
	if sqllex.Begins(text, "copy") { // its rows are sent otherwise
		return ""
	}
	pieces, err := sqlsplit.Split(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	statements := slices.DeleteFunc(pieces, func(p sqlsplit.Piece) bool { return p.Kind != sqlsplit.Statement })
	for _, s := range statements {
		onHistory := strings.Contains(s.Body, "schema_migrations") && !shared
		switch {
		case len(statements) > 1 && sqllex.Begins(s.Body, "create") && sqllex.HasWord(s.Body, "index"):
			return "several commands in one message with CREATE INDEX"
		case onHistory && sqllex.Begins(s.Body, "insert") && sqllex.HasWord(s.Body, "select"):
			return "INSERT with a subquery"
		case onHistory && sqllex.Begins(s.Body, "insert") && sqllex.HasWord(s.Body, "set_config", "pg_try_advisory_xact_lock"):
			return "a volatile function that runs on a worker"
		case onHistory && sqllex.Begins(s.Body, "update") && sqllex.HasWord(s.Body, "clock_timestamp", "coalesce", "from", "set_config"):
			return "UPDATE with a function that is not immutable"
		}
	}
	return ""
}

// TestCitus looks at what is sent to a server that has an extension of that name. What a real cluster does is not shown.
func TestCitus(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]migrations.Option{"own histories": {module}, "a shared history": {module, migrations.SharedHistory("books")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := len(opts) > 1
			dsn := server.Database(t)
			admin := openAs(t, "pgx", dsn)
			execOn(t, admin, "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) "+
				"SELECT max(oid::bigint)::oid::bigint + 1, 'citus', 10, 11, false, '13.2' FROM pg_extension")
			w := &listener{}
			pool := w.open(t, dsn)
			schemas := schemaNames(40)
			sets := os.DirFS("../benchmarks/migrations/sql")
			applyAll(t, pool, sets, slices.Values(schemas), append(opts, migrations.Parallel(8))...)
			more := sqlFiles("001_a.sql", "CREATE TABLE {{tables.a1}} (x int);\nCOPY {{tables.a1}} FROM stdin;\n1\n\\.\n", "down/001_a.sql", "DROP TABLE {{tables.a1}}",
				"002_b.sql", "-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY i ON {{tables.a1}} (x)", "down/002_b.sql", "DROP INDEX {{schema}}.i", "R__c.sql", "SELECT 1")
			m := migratorOf(t, pool, schemas[0], more, append(opts, migrations.Module("more"))...)
			ran(t)(m.Apply(t.Context()))
			ran(t)(m.Redo(t.Context()))
			ran(t)(m.Rollback(t.Context(), 2))
			seen := map[string]bool{}
			for _, text := range w.texts {
				if why := refusedByCitus(t, text, shared); why != "" && !seen[why] {
					seen[why] = true
					t.Errorf("%s:\n%.1000s", why, text)
				}
			}
			if len(w.texts) < 40*24 {
				t.Errorf("%d messages were seen", len(w.texts))
			}
			table := "s00.schema_migrations"
			if shared {
				table = "books.schema_migrations_shared"
			}
			want(t, "durations that are not known", query(t, admin, "SELECT count(*) FROM "+table+" WHERE execution_time_ms IS NULL"), "0")
		})
	}
}
