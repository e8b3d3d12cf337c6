package driver_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/driver"
)

type sqlxRow struct {
	ID    int
	Owner string
}

// tenantContexts returns the contexts of the schemas a and b, by their names.
func tenantContexts(t *testing.T) map[string]context.Context {
	t.Helper()
	return map[string]context.Context{"a": driver.WithSchema(t.Context(), "a"), "b": driver.WithSchema(t.Context(), "b")}
}

func TestSqlxKnowsTheBindType(t *testing.T) {
	t.Parallel()
	if got := sqlx.BindType("pgdbm"); got != sqlx.DOLLAR {
		t.Errorf("the bind type is %d, want %d", got, sqlx.DOLLAR)
	}
	db, err := sqlx.Open("pgdbm", "postgres://h/d")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := db.Rebind("SELECT * FROM {{tables.t}} WHERE id = ?"); got != "SELECT * FROM {{tables.t}} WHERE id = $1" {
		t.Errorf("Rebind gives %s", got)
	}
	if _, err := sqlx.Open("pgdbm", "postgres://h/d?schema="); err == nil {
		t.Error("sqlx.Open takes a bad DSN")
	}
}

// Every way of sqlx to run a statement, under two tenants of one database.
func TestSqlxUnderTwoTenants(t *testing.T) {
	t.Parallel()
	db, err := sqlx.ConnectContext(t.Context(), "pgdbm", newTenants(t, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tests := []struct {
		name  string
		owner func(ctx context.Context, name string) (string, error)
	}{
		{"Get", func(ctx context.Context, _ string) (string, error) {
			var row sqlxRow
			err := db.GetContext(ctx, &row, "SELECT id, owner FROM {{tables.t}} WHERE id = $1", 1)
			return row.Owner, err
		}},
		{"Select", func(ctx context.Context, _ string) (string, error) {
			var rows []sqlxRow
			err := db.SelectContext(ctx, &rows, "SELECT * FROM <<tables.t>> ORDER BY id LIMIT 1")
			return rows[0].Owner, err
		}},
		{"In and Rebind", func(ctx context.Context, _ string) (owner string, _ error) {
			query, args, err := sqlx.In("SELECT owner FROM {{tables.t}} WHERE id IN (?) AND id < ?", []int{1, 20}, 10)
			if err != nil {
				return "", err
			}
			return owner, db.GetContext(ctx, &owner, db.Rebind(query), args...)
		}},
		{"NamedQuery", func(ctx context.Context, _ string) (string, error) {
			rows, err := db.NamedQueryContext(ctx, "SELECT id, owner FROM {{tables.t}} WHERE id = :id", sqlxRow{ID: 1})
			if err != nil {
				return "", err
			}
			defer rows.Close()
			var row sqlxRow
			for rows.Next() {
				if err := rows.StructScan(&row); err != nil {
					return "", err
				}
			}
			return row.Owner, rows.Err()
		}},
		{"PrepareNamed", func(ctx context.Context, _ string) (owner string, _ error) {
			stmt, err := db.PrepareNamedContext(ctx, "SELECT owner FROM {{tables.t}} WHERE id = :id")
			if err != nil {
				return "", err
			}
			defer stmt.Close()
			return owner, stmt.GetContext(ctx, &owner, map[string]any{"id": 1})
		}},
		{"Beginx", func(ctx context.Context, _ string) (owner string, _ error) {
			tx, err := db.BeginTxx(ctx, nil)
			if err != nil {
				return "", err
			}
			defer tx.Rollback()
			return owner, tx.Get(&owner, ownerQuery) // without a context, in the transaction's schema
		}},
		{"NamedExec", func(ctx context.Context, name string) (owner string, _ error) {
			_, err := db.NamedExecContext(ctx, "INSERT INTO {{tables.t}} (id, owner) VALUES (:id, :owner)",
				[]sqlxRow{{7, name}, {8, name}})
			if err != nil {
				return "", err
			}
			return owner, db.GetContext(ctx, &owner, "SELECT max(owner) FROM {{tables.t}} WHERE id > 6")
		}},
	}
	for _, test := range tests {
		for name, ctx := range tenantContexts(t) {
			if got, err := test.owner(ctx, name); err != nil || got != name {
				t.Errorf("%s in %s: got %q, %v", test.name, name, got, err)
			}
		}
	}
}

// One statement that was prepared once serves every tenant.
func TestSqlxStatementFollowsTheContext(t *testing.T) {
	t.Parallel()
	db := sqlx.NewDb(openDB(t, newTenants(t, "a", "b")), driver.Name)
	stmt, err := db.PreparexContext(t.Context(), "SELECT owner FROM {{tables.t}} WHERE id = $1")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	var got []string
	for _, name := range []string{"a", "b", "a"} {
		var owner string
		if err := stmt.GetContext(tenantContexts(t)[name], &owner, 1); err != nil {
			t.Fatal(err)
		}
		got = append(got, owner)
	}
	if !slices.Equal(got, []string{"a", "b", "a"}) {
		t.Errorf("got %q", got)
	}
}
