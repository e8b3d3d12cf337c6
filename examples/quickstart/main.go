// Command quickstart shows in one minute what pgdbm does: one PostgreSQL database, one pool of connections, and a
// schema for each of two shops, which the same code serves.
//
//	go run ./examples/quickstart
//
// It uses the server of the environment variable PGDBM_TEST_DSN, or starts one from what it finds: the local PostgreSQL
// programs, Docker, or a download. In each case it works in a database of its own and leaves nothing running behind.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/pgdbm/pgdbm/driver"
)

func main() {
	// All of them would end the program before it has cleaned up; SIGPIPE comes from "quickstart | head".
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	err := withDatabase(ctx, func(dsn string) error { return run(ctx, os.Stdout, dsn) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// The SQL of both shops. No schema is named in it, and none is glued into it.
const (
	createSchema = `CREATE SCHEMA {{schema}}`
	createTable  = `CREATE TABLE {{tables.orders}} (id serial PRIMARY KEY, item text NOT NULL, cents int NOT NULL)`
	addOrder     = `INSERT INTO {{tables.orders}} (item, cents) VALUES ($1, $2)`
	listOrders   = `SELECT item, cents FROM {{tables.orders}} ORDER BY id`
	deleteOrders = `DELETE FROM {{tables.orders}}`
)

var shops = []string{"bakery", "bookshop"}

// tour is what the steps share: the one pool, and where they write, with tabs between the columns.
type tour struct {
	db  *sql.DB
	out *tabwriter.Writer
}

func run(ctx context.Context, w io.Writer, dsn string) error {
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(4) // for all shops together
	t := &tour{db, tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.out, "pgdbm: one database, one pool of connections, a schema for each of two shops")
	for i, step := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"The same statement, for whichever shop the context names", t.showRewriting},
		{"The same functions fill both shops", t.fillShops},
		{"Each shop sees its own orders only", t.listShops},
		{"A transaction stays in the schema it began in", t.useTransactions},
		{"Mistakes do not reach the database", t.makeMistakes},
		{"And all of it took one pool", t.showPool},
	} {
		fmt.Fprintf(t.out, "\n%d. %s\n", i+1, step.title)
		if err := errors.Join(step.run(ctx), t.out.Flush()); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	_, err = fmt.Fprintln(w, "\nRead on in README.md, or with: go doc github.com/pgdbm/pgdbm/driver")
	return err
}

// showRewriting prints what the driver makes of a statement. Programs need [driver.Expand] for their logs at most: the
// driver expands every statement by itself.
func (t *tour) showRewriting(context.Context) error {
	fmt.Fprintf(t.out, "   written\t%s\n", addOrder)
	for _, shop := range shops {
		sent, err := driver.Expand(addOrder, shop)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "   %s\t%s\n", shop, sent)
	}
	return nil
}

type order struct {
	item  string
	cents int
}

// fillShops names the shop once, in the context. Whatever is called with that context works for that shop.
func (t *tour) fillShops(ctx context.Context) error {
	orders := map[string][]order{
		"bakery":   {{"rye bread", 420}, {"poppy seed roll", 80}},
		"bookshop": {{"Moby-Dick", 1250}},
	}
	for _, shop := range shops {
		shopCtx := driver.WithSchema(ctx, shop)
		if err := t.openShop(shopCtx); err != nil {
			return err
		}
		for _, o := range orders[shop] {
			if _, err := t.db.ExecContext(shopCtx, addOrder, o.item, o.cents); err != nil {
				return err
			}
		}
		fmt.Fprintf(t.out, "   %s\topened, orders placed: %d\n", shop, len(orders[shop]))
	}
	return nil
}

// openShop does not know which shop it opens.
func (t *tour) openShop(ctx context.Context) error {
	for _, query := range []string{createSchema, createTable} {
		if _, err := t.db.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) listShops(ctx context.Context) error {
	fmt.Fprintf(t.out, "   %s\n", listOrders)
	for _, shop := range shops {
		orders, err := t.orders(driver.WithSchema(ctx, shop))
		if err != nil {
			return err
		}
		for _, o := range orders {
			fmt.Fprintf(t.out, "   %s\t%s\t%3d.%02d\n", shop, o.item, o.cents/100, o.cents%100)
		}
	}
	return nil
}

// orders is ordinary database/sql, and so is every other function that takes a context.
func (t *tour) orders(ctx context.Context) ([]order, error) {
	rows, err := t.db.QueryContext(ctx, listOrders)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var orders []order
	for rows.Next() {
		var o order
		if err := rows.Scan(&o.item, &o.cents); err != nil {
			return nil, err
		}
		orders = append(orders, o)
	}
	return orders, rows.Err()
}

func (t *tour) useTransactions(ctx context.Context) error {
	if err := t.commitOrder(driver.WithSchema(ctx, "bakery")); err != nil {
		return err
	}
	if err := t.rollBackDelete(driver.WithSchema(ctx, "bookshop")); err != nil {
		return err
	}
	// A template with two names means that schema's table, whatever the context says.
	const count = `SELECT (SELECT count(*) FROM {{tables.bakery.orders}}),
		(SELECT count(*) FROM {{tables.bookshop.orders}})`
	var bakery, bookshop int
	if err := t.db.QueryRowContext(ctx, count).Scan(&bakery, &bookshop); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "   bakery\tone more order, COMMIT\torders now: %d\n", bakery)
	fmt.Fprintf(t.out, "   bookshop\tall orders deleted, ROLLBACK\torders now: %d\n", bookshop)
	return nil
}

func (t *tour) commitOrder(ctx context.Context) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()                                            // does nothing after Commit
	if _, err := tx.Exec(addOrder, "plum cake", 350); err != nil { // Exec has no context and needs none
		return err
	}
	return tx.Commit()
}

func (t *tour) rollBackDelete(ctx context.Context) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(deleteOrders); err != nil {
		return err
	}
	return tx.Rollback()
}

// makeMistakes shows that a wrong name is an error, and never somebody else's rows.
func (t *tour) makeMistakes(ctx context.Context) error {
	for _, mistake := range []struct{ what, shop, query string }{
		{"A template is misspelt: {{table.orders}}", "bakery", "SELECT item FROM {{table.orders}}"},
		{`A tenant's name got lost: driver.WithSchema(ctx, "")`, "", listOrders},
	} {
		_, err := t.db.ExecContext(driver.WithSchema(ctx, mistake.shop), mistake.query)
		if ctx.Err() != nil {
			return ctx.Err() // Ctrl-C is not the error to show here
		}
		if err == nil {
			return fmt.Errorf("%q was not refused", mistake.query)
		}
		lines := strings.ReplaceAll(err.Error(), "; ", ";\n      ")
		fmt.Fprintf(t.out, "   %s\n      %s\n", mistake.what, lines)
	}
	return nil
}

func (t *tour) showPool(context.Context) error {
	stats := t.db.Stats()
	fmt.Fprintf(t.out, "   schemas served:\t%d\n", len(shops))
	fmt.Fprintf(t.out, "   open connections:\t%d (a limit of %d holds for all schemas together)\n",
		stats.OpenConnections, stats.MaxOpenConnections)
	return nil
}
