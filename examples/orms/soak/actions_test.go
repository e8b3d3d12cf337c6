package soak_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

const (
	accountByID = "SELECT tenant FROM {{tables.accounts}} WHERE id = $1"

	// neverCommitted is the text of notes that are rolled back.
	neverCommitted = "never committed"
)

// all are the actions.
var all = slices.Concat(work, sessions, accidents)

// work is what programs do.
var work = []action{
	{name: "read one row", run: readOne},
	{name: "read a table", run: readTable},
	{name: "write", run: write},
	{name: "transfer", run: transfer},
	{name: "prepared statement", run: prepared},
	{name: "two tenants at once", run: twoTenants},
	{name: "facade", run: facade},
	{name: "GORM", run: readWithGORM},
	{name: "GORM's transaction", run: writeWithGORM},
	{name: "Raw", run: raw, unless: sessionless},
	{name: "change a table", run: changeTable},
}

// sessionless says where a session is not the program's own.
func sessionless(w *world) bool { return w.pooled }

func readOne(ctx context.Context, a *actor) error {
	query := a.sql(accountByID)
	if a.random.IntN(2) == 0 { // without arguments, a query goes another way
		query = a.sql(fmt.Sprintf("SELECT tenant FROM {{tables.accounts}} WHERE id = %d", a.account()))
		return wantRows(1)(a.read(ctx, "a query without arguments", a.db, query))
	}
	return wantRows(1)(a.read(ctx, "a query", a.db, query, a.account()))
}

// wantRows makes an error of another number of rows.
func wantRows(want int) func(n int, err error) error {
	return func(n int, err error) error {
		if err == nil && n != want {
			return fmt.Errorf("%d rows, want %d", n, want)
		}
		return err
	}
}

func readTable(ctx context.Context, a *actor) error {
	_, err := a.read(ctx, "a join", a.db, a.sql("SELECT n.tenant FROM {{tables.notes}} n JOIN {{tables.accounts}} a USING (tenant) WHERE a.id = $1"),
		a.account())
	return err
}

func write(ctx context.Context, a *actor) error {
	rows, err := a.db.QueryContext(ctx, a.sql("INSERT INTO {{tables.notes}} (text) VALUES ($1) RETURNING tenant"), a.text("returned"))
	if err := wantRows(1)(a.readAll("RETURNING", rows, err)); err != nil {
		return err
	}
	if _, err := a.db.ExecContext(ctx, a.sql("UPDATE {{tables.notes}} SET text = $1 WHERE id = 1"), a.text("changed")); err != nil {
		return err
	}
	_, err = a.read(ctx, "DELETE", a.db, a.sql("DELETE FROM {{tables.notes}} WHERE id > $1 RETURNING tenant"), 20)
	return err
}

// transfer moves money between two accounts, sometimes in a savepoint, and sometimes changes its mind.
func transfer(ctx context.Context, a *actor) error {
	from, to := a.account(), a.account()
	if from > to {
		from, to = to, from // always in this order, or two of them would wait for each other
	}
	changesMind := errors.New("changed its mind")
	err := a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		update := a.sql("UPDATE {{tables.accounts}} SET balance = balance + $1 WHERE id = $2 RETURNING tenant")
		if err := wantRows(1)(a.read(ctx, "a transaction", tx, update, -1, from)); err != nil {
			return err
		}
		if a.random.IntN(4) == 0 {
			insert := a.sql("INSERT INTO {{tables.notes}} (text) VALUES ('" + neverCommitted + "')")
			for _, query := range []string{"SAVEPOINT s", insert, "ROLLBACK TO s"} {
				if _, err := tx.ExecContext(ctx, query); err != nil {
					return err
				}
			}
		}
		if err := wantRows(1)(a.read(ctx, "a transaction", tx, update, 1, to)); err != nil {
			return err
		}
		if a.random.IntN(4) == 0 {
			return changesMind
		}
		return nil
	})
	if errors.Is(err, changesMind) {
		return nil
	}
	return err
}

// prepared executes a statement that was prepared for another tenant.
func prepared(ctx context.Context, a *actor) error {
	if a.random.IntN(2) == 0 {
		rows, err := a.stmt.QueryContext(ctx, a.account())
		return wantRows(1)(a.readAll("a prepared statement", rows, err))
	}
	return a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.StmtContext(ctx, a.stmt).QueryContext(ctx, a.account())
		return wantRows(1)(a.readAll("a transaction's prepared statement", rows, err))
	})
}

// twoTenants asks for another tenant's row in the middle of a transaction.
func twoTenants(ctx context.Context, a *actor) error {
	own, other := a.tenant, a.tenants[a.random.IntN(schemas)]
	return a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, step := range []struct {
			tenant string
			ctx    context.Context
		}{{own, ctx}, {other, driver.WithSchema(ctx, other)}, {own, ctx}} {
			a.tenant = step.tenant
			if err := wantRows(1)(a.read(step.ctx, "a transaction of two", tx, a.sql(accountByID), a.account())); err != nil {
				return err
			}
		}
		return nil
	})
}

func facade(ctx context.Context, a *actor) error {
	db := a.facade.ForSchema(a.tenant)
	ctx = driver.WithSchema(ctx, a.tenants[a.random.IntN(schemas)]) // which does not matter
	var tenants []string
	if err := db.SelectContext(ctx, &tenants, a.sql("SELECT tenant FROM {{tables.accounts}} WHERE id > $1"), a.account()); err != nil {
		return err
	}
	rows := []map[string]any{{"text": a.text("many")}, {"text": a.text("more")}}
	if _, err := db.ExecMany(ctx, a.sql("INSERT INTO {{tables.notes}} (text) VALUES (:text)"), rows); err != nil {
		return err
	}
	if _, err := db.CopyFrom(ctx, "notes", []string{"text"}, [][]any{{a.text("copied")}}); err != nil {
		return err
	}
	for tenant, err := range schemadb.Each[string](ctx, db, a.sql("SELECT tenant FROM {{tables.notes}}")) {
		if err != nil {
			return err
		}
		tenants = append(tenants, tenant)
	}
	for _, tenant := range tenants {
		a.saw("a facade", tenant)
	}
	return nil
}

// raw does with pgx what database/sql does not have.
func raw(ctx context.Context, a *actor) error {
	return driver.Raw(ctx, a.db, func(conn *pgx.Conn) error {
		query, err := driver.Expand(a.sql("SELECT tenant FROM {{tables.accounts}}"), a.tenant)
		if err != nil {
			return err
		}
		rows, err := conn.Query(ctx, query)
		if err != nil {
			return err
		}
		tenants, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, tenant := range tenants {
			a.saw("Raw", tenant)
		}
		if err != nil {
			return err
		}
		table := pgx.Identifier{a.tenant, "notes"}
		if a.bare {
			table = pgx.Identifier{"notes"}
		}
		_, err = conn.CopyFrom(ctx, table, []string{"text"}, pgx.CopyFromRows([][]any{{a.text("copied by Raw")}}))
		return err
	})
}

// changeTable changes what SELECT * returns, under the eyes of all others.
func changeTable(ctx context.Context, a *actor) error {
	ddl := "ALTER TABLE {{tables.notes}} ADD COLUMN IF NOT EXISTS extra int"
	if a.random.IntN(2) == 0 {
		ddl = "ALTER TABLE {{tables.notes}} DROP COLUMN IF EXISTS extra"
	}
	if _, err := a.db.ExecContext(ctx, a.sql(ddl)); err != nil {
		return err
	}
	rows, err := a.db.QueryContext(ctx, a.sql("SELECT * FROM {{tables.notes}} WHERE id < $1"), 10)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return err
		}
		a.saw("SELECT *", fmt.Sprint(*values[slices.Index(columns, "tenant")].(*any)))
	}
	return rows.Err()
}
