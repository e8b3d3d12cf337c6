package soak_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/driver"
)

// action is something that a program does, for one tenant. What it returns must be an error that is expected: see explained.
type action struct {
	name   string
	run    func(ctx context.Context, a *actor) error
	unless func(w *world) bool // where it is impossible
}

// actor is one goroutine of the program, which serves one tenant after the other.
type actor struct {
	*world
	random *rand.Rand
	tenant string
	bare   bool // names without templates
	named  bool // the context names the tenant; else it is the DSN's

	plain context.Context // the action's, without a tenant
}

// live does one action after the other, until ctx is done.
func (a *actor) live(ctx context.Context) {
	actions := a.actions()
	for ctx.Err() == nil {
		a.tenant = a.tenants[a.random.IntN(len(a.tenants))]
		a.bare = a.path && a.random.IntN(2) == 0
		a.named = a.tenant != a.tenants[0] || a.random.IntN(2) == 0
		todo := actions[a.random.IntN(len(actions))]
		err := a.do(ctx, todo)
		if ctx.Err() != nil {
			return
		}
		a.count(todo.name, err)
		if err != nil && !explained(err) {
			a.report("%s in %s: an error that nothing explains: %v (%#v)", todo.name, a.tenant, err, err)
		}
	}
}

// do does one action, which may take some seconds at most, if others have locks.
func (a *actor) do(ctx context.Context, todo action) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a.plain = ctx
	if a.named {
		ctx = driver.WithSchema(ctx, a.tenant)
	}
	return todo.run(ctx, a)
}

// sql returns a statement with the names of its tables as the actor writes them at the moment.
func (a *actor) sql(query string) string {
	if !a.bare {
		return query
	}
	return strings.NewReplacer("{{tables.", "", "}}", "").Replace(query)
}

// text returns the text of a note, which says whose it is: the column tenant says only in which table it has come to lie.
func (a *actor) text(what string) string { return a.tenant + ": " + what }

// account returns the id of any account.
func (a *actor) account() int { return 1 + a.random.IntN(accounts) }

// saw says what an actor has read: the row of a tenant.
func (a *actor) saw(how, tenant string) {
	if tenant != a.tenant {
		a.report("%s: LEAK: %s read a row of %s", how, a.tenant, tenant)
	}
}

// queryer is what has QueryContext.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read reads all rows of a query that returns their tenants, and returns how many there were.
func (a *actor) read(ctx context.Context, how string, q queryer, query string, args ...any) (int, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	return a.readAll(how, rows, err)
}

func (a *actor) readAll(how string, rows *sql.Rows, err error) (n int, _ error) {
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var tenant string
		if err := rows.Scan(&tenant); err != nil {
			return n, err
		}
		a.saw(how, tenant)
	}
	return n, rows.Err()
}

// inTx runs fn in a transaction of the tenant. Its statements have a context without one.
func (a *actor) inTx(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(a.plain, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// inSession runs fn on one connection.
func (a *actor) inSession(ctx context.Context, fn func(conn *sql.Conn) error) error {
	conn, err := a.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return fn(conn)
}
