package soak_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/schemadb"
)

var server = pgserver.Server{Shared: true}

const (
	schemas     = 50
	accounts    = 10   // of each tenant
	balance     = 1000 // of each account, at first
	actors      = 32
	connections = 8
)

// setup is how the program is connected.
type setup struct {
	path   bool // schema_mode=search_path, else template
	pooled bool // through PgBouncer
}

func (s setup) String() string {
	mode, route := "template", "direct"
	if s.path {
		mode = "search_path"
	}
	if s.pooled {
		route = "PgBouncer"
	}
	return mode + ", " + route
}

var setups = []setup{{}, {path: true}, {pooled: true}, {path: true, pooled: true}}

// world is a database with its tenants, and a program's pool on it.
type world struct {
	setup
	tenants []string // the first one is the DSN's
	db      *sql.DB
	facade  *schemadb.DB
	orm     *gorm.DB      // which prepares all statements
	ormTx   *gorm.DB      // which prepares none, for transactions
	stmt    *sql.Stmt     // accountByID, prepared for all tenants
	admin   *pgxpool.Pool // plain pgx, directly

	stop    context.CancelFunc
	until   time.Time // the test goes on until then, and until every action has worked
	mu      sync.Mutex
	wrong   []string          // what must not happen
	tallies map[string]*tally // by action
}

// tally counts an action.
type tally struct{ done, failed int }

const tables = `
CREATE SCHEMA IF NOT EXISTS %[1]s;
CREATE TABLE %[1]s.accounts (id int PRIMARY KEY, tenant text NOT NULL DEFAULT %[2]s, balance int NOT NULL);
CREATE TABLE %[1]s.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL DEFAULT %[2]s, text text NOT NULL);
INSERT INTO %[1]s.accounts SELECT n, %[2]s, %[3]d FROM generate_series(1, %[4]d) n;
INSERT INTO %[1]s.notes (text) VALUES ('first'), ('second');
`

func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	dsn := server.Database(t)
	w := &world{setup: s, tallies: make(map[string]*tally)}
	for i := range schemas {
		w.tenants = append(w.tenants, fmt.Sprintf(`Größe-"%d"`, i))
	}
	w.openAdmin(t, dsn)
	for _, schema := range append([]string{"public"}, w.tenants...) {
		w.mustAdmin(t, fmt.Sprintf(tables, pgx.Identifier{schema}.Sanitize(), "'"+schema+"'", balance, accounts))
	}
	if s.pooled {
		dsn = pgbouncer.Start(t, dsn, "ignore_startup_parameters=search_path") + "&default_query_exec_mode=cache_describe"
	}
	w.open(t, dsn)
	return w
}

func (w *world) openAdmin(t *testing.T, dsn string) {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["application_name"] = adminName
	config.MaxConns = 2
	if w.admin, err = pgxpool.NewWithConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.admin.Close)
}

// adminName tells the connections apart that are not to be killed.
const adminName = "soak_admin"

func (w *world) mustAdmin(t *testing.T, query string) {
	t.Helper()
	if _, err := w.admin.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// open opens the program's pool, in the first tenant's schema.
func (w *world) open(t *testing.T, dsn string) {
	t.Helper()
	mode := "&schema_mode=template"
	if w.path {
		mode = "&schema_mode=search_path"
	}
	dsn, err := driver.AddSchema(dsn+mode, w.tenants[0])
	if err != nil {
		t.Fatal(err)
	}
	if w.db, err = sql.Open(driver.Name, dsn); err != nil {
		t.Fatal(err)
	}
	w.db.SetMaxOpenConns(connections)
	w.db.SetMaxIdleConns(connections)
	w.facade = schemadb.New(w.db, w.tenants[0])
	w.orm, w.ormTx = openGORM(t, w.db, true), openGORM(t, w.db, false)
	if w.stmt, err = w.db.PrepareContext(driver.WithSchema(t.Context(), w.tenants[1]), accountByID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); w.db.Stats().InUse > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			continue // what was cancelled is rolled back in the background
		}
		if n := w.db.Stats().InUse; n > 0 {
			t.Errorf("%d connections were not given back", n)
		}
		_ = w.db.Close() // statements of connections that were killed cannot be closed
	})
}

// report ends the test: something happened that must not.
func (w *world) report(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wrong) < 10 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
	w.stop()
}

func (w *world) count(action string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.tallies[action]
	if n == nil {
		n = &tally{}
		w.tallies[action] = n
	}
	if err == nil {
		n.done++
	} else {
		n.failed++
	}
	if time.Now().After(w.until) {
		if _, never := w.summary(); len(never) == 0 {
			w.stop()
		}
	}
}

// summary returns what was done how often, and a list of the actions that never worked, or hardly ever.
func (w *world) summary() (text string, never []string) {
	var lines []string
	for _, a := range w.actions() {
		n := w.tallies[a.name]
		if n == nil {
			n = &tally{}
		}
		if n.done == 0 || n.failed > n.done+10 {
			never = append(never, a.name)
		}
		lines = append(lines, fmt.Sprintf("%-24s %7d done %6d failed", a.name, n.done, n.failed))
	}
	return strings.Join(lines, "\n"), never
}

// actions returns those that are possible in this world.
func (w *world) actions() []action {
	return slices.DeleteFunc(slices.Clone(all), func(a action) bool { return a.unless != nil && a.unless(w) })
}

// checkData looks at all tables when everybody has finished.
func (w *world) checkData(ctx context.Context) error {
	for _, schema := range append([]string{"public"}, w.tenants...) {
		name := pgx.Identifier{schema}.Sanitize()
		query := fmt.Sprintf(`SELECT (SELECT count(*) FROM %[1]s.accounts WHERE tenant <> $1) + (SELECT count(*) FROM %[1]s.notes WHERE tenant <> $1) +
				(SELECT count(*) FROM %[1]s.notes WHERE text NOT IN ('first', 'second', $2) AND NOT starts_with(text, $1 || ': ')),
			(SELECT sum(balance) FROM %[1]s.accounts), (SELECT count(*) FROM %[1]s.notes WHERE text = $2),
			(SELECT count(*) FROM %[1]s.notes WHERE tenant = 'public')`, name)
		var foreign, sum, undone, inPublic int
		if err := w.admin.QueryRow(ctx, query, schema, neverCommitted).Scan(&foreign, &sum, &undone, &inPublic); err != nil {
			return err
		}
		switch {
		case foreign > 0:
			return fmt.Errorf("schema %q has %d rows of others", schema, foreign)
		case sum != accounts*balance:
			return fmt.Errorf("schema %q has %d on its accounts, want %d: a transaction was done by half", schema, sum, accounts*balance)
		case undone > 0:
			return fmt.Errorf("schema %q has %d rows that were never committed", schema, undone)
		case schema == "public" && inPublic != 2:
			return fmt.Errorf("public has %d notes, want the 2 that were there", inPublic)
		}
	}
	return nil
}
