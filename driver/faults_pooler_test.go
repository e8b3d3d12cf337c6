package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// usualSettings are those of the poolers here: few connections, and the startup parameter that many installations ignore.
var usualSettings = []string{"default_pool_size=2", "ignore_startup_parameters=search_path"}

// Two clients of two tenants change places on the sessions of a pooler that does not track prepared statements.
func TestPoolerChangesSessions(t *testing.T) {
	t.Parallel()
	steps := map[string]struct{ acme, globex string }{
		"two reads":         {"SELECT owner FROM TABLE_T WHERE id = $1", "SELECT owner FROM TABLE_T WHERE id = $1"},
		"a read, a delete":  {"DELETE FROM TABLE_T WHERE id = $1 + 50 RETURNING owner", "SELECT owner FROM TABLE_T WHERE id = $1"},
		"a read, an update": {"UPDATE TABLE_T SET owner = 'lost' WHERE id = $1 + 50 RETURNING owner", "SELECT owner FROM TABLE_T WHERE id = $1"},
	}
	for pooler, start := range untracked() {
		for _, way := range allWays {
			for what, step := range steps {
				for _, asStmt := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%s/%t", pooler, way.name, what, asStmt), func(t *testing.T) {
						t.Parallel()
						dsn := newTenants(t, "acme", "globex")
						dbs := way.open(t, start(t, dsn, usualSettings...), 2, "acme", "globex")
						changeSessions(t, dbs, asStmt, way.sql(step.acme), way.sql(step.globex))
						wantOwners(t, dsn, "acme", "acme")
						wantOwners(t, dsn, "globex", "globex")
					})
				}
			}
		}
	}
}

// changeSessions has two connections meet each other's sessions. Globex must read its own row all the time.
func changeSessions(t *testing.T, dbs schemaDBs, asStmt bool, acmeSQL, globexSQL string) {
	t.Helper()
	inAcme, acmeDB := dbs.of(t, "acme")
	inGlobex, globexDB := dbs.of(t, "globex")
	globex, acme := holdConn(inGlobex, t, globexDB), holdConn(inAcme, t, acmeDB)
	ask := func(ctx context.Context, q querier, query string) *sql.Row {
		if asStmt {
			return prepare(ctx, t, q, query).QueryRowContext(ctx, 1)
		}
		return q.QueryRowContext(ctx, query, 1)
	}
	tx := begin(inAcme, t, acme) // which has one of the pooler's sessions
	acmeErr := ask(inAcme, tx, acmeSQL).Scan(new(string))
	checks := map[string]error{"beside the transaction": wantRow(ask(inGlobex, globex, globexSQL), "globex")}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		checks[fmt.Sprint("afterwards, ", i)] = wantRow(ask(inGlobex, globex, globexSQL), "globex")
		acmeErr = errors.Join(ask(inAcme, acme, acmeSQL).Scan(new(string)), acmeErr)
	}
	for when, err := range checks {
		if err != nil {
			t.Errorf("globex, %s: %v", when, err)
		}
	}
	if acmeSQL == globexSQL && acmeErr != nil {
		t.Errorf("acme: %v", acmeErr)
	}
}

// Twenty tenants under load through three sessions, with the default DSN: no wrong row, no misdirected write, no error, and nothing of
// ours is left in the pooler's sessions.
func TestPoolerUnderLoad(t *testing.T) {
	t.Parallel()
	for pooler, start := range untracked() {
		for _, way := range allWays {
			t.Run(pooler+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				var tenants []string
				for i := range 20 {
					tenants = append(tenants, fmt.Sprintf("tenant_%d", i))
				}
				dsn := newTenants(t, tenants...)
				through := start(t, dsn, "default_pool_size=3", "ignore_startup_parameters=search_path")
				l := &load{dbs: way.open(t, through, 4, tenants...), tenants: tenants, until: time.Now().Add(2 * time.Second)}
				l.run(t)
				for _, tenant := range tenants {
					l.checkTable(t, dsn, tenant)
				}
				wantNothingPrepared(t, through, 3)
			})
		}
	}
}

// load is what the clients do at random.
type load struct {
	dbs     schemaDBs
	tenants []string
	until   time.Time

	mu            sync.Mutex
	done          int
	wrong, failed []error
}

func (l *load) run(t *testing.T) {
	t.Helper()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for id := 1000 * (worker + 1); time.Now().Before(l.until) && !t.Failed(); id++ {
				tenant := l.tenants[rand.IntN(len(l.tenants))]
				l.count(l.step(t, tenant, 1_000_000+100*id))
			}
		})
	}
	group.Wait()
	t.Logf("%d steps, %d wrong, %d failed", l.done, len(l.wrong), len(l.failed))
	for _, errs := range [][]error{l.wrong, l.failed} {
		if len(errs) > 0 {
			t.Errorf("%d times, for example: %v", len(errs), errs[0])
		}
	}
}

func (l *load) count(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	switch {
	case errors.Is(err, errWrong):
		l.wrong = append(l.wrong, err)
	case err != nil:
		l.failed = append(l.failed, err)
	}
}

// step does one thing in the schema of tenant. It may insert rows with the numbers from id on.
func (l *load) step(t *testing.T, tenant string, id int) error {
	ctx, db := l.dbs.of(t, tenant)
	read, write := l.dbs.sql("SELECT owner FROM TABLE_T WHERE id = $1"), l.dbs.sql("INSERT INTO TABLE_T VALUES ($1, $2)")
	switch rand.IntN(7) {
	case 0:
		return wantRow(db.QueryRowContext(ctx, read, 1), tenant)
	case 1:
		return second(db.ExecContext(ctx, write, id, tenant))
	case 2:
		return wantRow(db.QueryRowContext(ctx, write+" RETURNING id", id, tenant), id)
	case 3:
		return wantChanged(db.ExecContext(ctx, l.dbs.sql("UPDATE TABLE_T SET owner = owner WHERE owner = $1 AND id = 1"), tenant))
	case 4:
		return wantChanged(db.ExecContext(ctx, l.dbs.sql("UPDATE TABLE_T SET owner = owner WHERE id = 1 AND owner = '"+tenant+"'")))
	case 5:
		stmt, err := db.PrepareContext(ctx, read)
		if err != nil {
			return err
		}
		defer stmt.Close()
		return errors.Join(wantRow(stmt.QueryRowContext(ctx, 1), tenant), wantRow(stmt.QueryRowContext(ctx, 1), tenant))
	default:
		return inTx(ctx, db, func(tx *sql.Tx) error {
			return errors.Join(wantRow(tx.QueryRowContext(ctx, read, 1), tenant), second(tx.ExecContext(ctx, write, id, tenant)),
				wantRow(tx.QueryRowContext(ctx, read, id), tenant))
		})
	}
}

// wantChanged returns an error unless a statement has changed one row.
func wantChanged(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, _ := result.RowsAffected(); n != 1 {
		return fmt.Errorf("%w: it changed %d rows, want 1", errWrong, n)
	}
	return nil
}

// checkTable fails the test if the table of tenant has another tenant's rows.
func (l *load) checkTable(t *testing.T, dsn, tenant string) {
	t.Helper()
	query := fmt.Sprintf("SELECT count(*) FROM %s.t WHERE owner <> '%[1]s'", tenant)
	if n := get[int](t.Context(), t, openAs(t, "pgx", dsn), query); n != 0 {
		t.Errorf("%s has %d rows of others", tenant, n)
	}
	if n := get[int](t.Context(), t, openAs(t, "pgx", dsn), "SELECT count(*) FROM "+tenant+".t WHERE id = 1"); n != 1 {
		t.Errorf("%s has lost its row", tenant)
	}
}

// wantNothingPrepared fails the test if a session of a pooler, which has so many, has a prepared statement.
func wantNothingPrepared(t *testing.T, through string, sessions int) {
	t.Helper()
	db := openAs(t, "pgx", through+"&default_query_exec_mode=simple_protocol")
	for range sessions {
		tx := begin(t.Context(), t, db) // which keeps its session until the test ends
		const query = "SELECT coalesce(string_agg(name || ': ' || statement, '; '), '') FROM (SELECT * FROM pg_prepared_statements LIMIT 3) s"
		if got := get[string](t.Context(), t, tx, query); got != "" {
			t.Errorf("a session of the pooler has prepared statements: %s", got)
		}
	}
}

// A statement prepared at start, for many tenants, works behind a pooler too.
func TestPoolerServesStmts(t *testing.T) {
	t.Parallel()
	for pooler, start := range untracked() {
		for _, way := range []schemaWay{byTemplate, byContext} {
			t.Run(pooler+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				tenants := []string{"a", "b", odd}
				dbs := way.open(t, start(t, newTenants(t, tenants...), usualSettings...), 5, tenants...)
				ctx, db := dbs.of(t, "a")
				stmt := prepare(ctx, t, db, way.sql("SELECT owner FROM TABLE_T WHERE id = $1"))
				var group sync.WaitGroup
				for range 5 {
					group.Go(func() {
						for i := range 60 {
							ctx, _ := dbs.of(t, tenants[i%3])
							if err := wantRow(stmt.QueryRowContext(ctx, 1), tenants[i%3]); err != nil {
								t.Errorf("%s: %v", tenants[i%3], err)
								return
							}
						}
					})
				}
				group.Wait()
			})
		}
	}
}

// Statements without a template and without a schema, as a program that has just changed its driver's name sends them.
func TestPoolerWithoutSchema(t *testing.T) {
	t.Parallel()
	for pooler, start := range untracked() {
		t.Run(pooler, func(t *testing.T) {
			t.Parallel()
			dsn := newTenants(t)
			through := start(t, dsn, "default_pool_size=2")
			db := openDB(t, through)
			var group sync.WaitGroup
			for range 6 {
				group.Go(func() {
					for i := range 60 {
						query := fmt.Sprintf("SELECT %d + id FROM t WHERE id = $1", i)
						if err := wantRow(db.QueryRowContext(t.Context(), query, 1), i+1); err != nil {
							t.Errorf("%s: %v", query, err)
							return
						}
					}
				})
			}
			group.Wait()
			wantNothingPrepared(t, through, 2)
		})
	}
}

// Types of arguments and results are as with plain pgx on a direct connection, also where the pooler lets nothing be prepared.
func TestPoolerKeepsValues(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t)
	admin(t, dsn, "CREATE TABLE v (j jsonb, a int[], at timestamptz, n numeric, b bytea)")
	through := pgbouncer.Start(t, dsn, "default_pool_size=1")
	db, plain := openOne(t, through), openAs(t, "pgx", dsn)
	const query = "INSERT INTO v VALUES ($1, $2, $3, $4, $5) RETURNING *"
	args := []any{[]byte(`{"a": 1}`), []int{1, 2}, instant, "1.50", []byte{0, 255}}
	for range 3 {
		if got, want := resultOf(t.Context(), db, query, args...), resultOf(t.Context(), plain, query, args...); got != want {
			t.Errorf("pgx gives %s, pgdbm %s", want, got)
		}
	}
	wantNothingPrepared(t, through, 1)
}
