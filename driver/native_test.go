package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// onNative calls fn with a connection as package schemadb gets it.
func onNative(ctx context.Context, t testing.TB, db *sql.DB, fn func(native.Conn)) {
	t.Helper()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		fn(c.(native.Connection).Native())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nativeOwner reads the owner of the row that a native query finds.
func nativeOwner(ctx context.Context, t testing.TB, c native.Conn) string {
	t.Helper()
	rows, err := c.Query(ctx, ownerQuery)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return owner
}

func TestNativeQueryFollowsTheContext(t *testing.T) {
	t.Parallel()
	db := openOne(t, newTenants(t, "a", odd))
	for _, schema := range []string{"a", odd} {
		ctx := driver.WithSchema(t.Context(), schema)
		onNative(ctx, t, db, func(c native.Conn) {
			if got := nativeOwner(ctx, t, c); got != schema {
				t.Errorf("read the row of %q, want %q", got, schema)
			}
			err := c.Do(ctx, "SELECT {{tables.t}}", func(_ *pgx.Conn, text, effective string) error {
				want := "SELECT " + pgx.Identifier{schema}.Sanitize() + ".t"
				if text != want || effective != schema {
					t.Errorf("Do got %s in schema %q, want %s in %q", text, effective, want, schema)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	onNative(t.Context(), t, db, func(c native.Conn) {
		if _, err := c.Query(driver.WithSchema(t.Context(), ""), ownerQuery); err == nil {
			t.Error("a poisoned context runs a native query")
		}
	})
}

// A native statement that leaves session state makes the connection close on return, as any other.
func TestNativeStatementsAreTracked(t *testing.T) {
	t.Parallel()
	db := openOne(t, newTenants(t, "a"))
	ctx := driver.WithSchema(t.Context(), "a")
	first := backend(ctx, t, db)
	onNative(ctx, t, db, func(c native.Conn) { nativeOwner(ctx, t, c) })
	if got := backend(ctx, t, db); got != first {
		t.Errorf("a native query costs its connection: %d is now %d", first, got)
	}
	onNative(ctx, t, db, func(c native.Conn) {
		rows, err := c.Query(ctx, "SET application_name = 'left'")
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
	})
	if got := backend(ctx, t, db); got == first {
		t.Error("a connection with a session's setting is used again")
	}
}

func TestNativeExplainsAMissingSchema(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, server.Database(t), "gone"))
	onNative(t.Context(), t, db, func(c native.Conn) {
		rows, err := c.Query(t.Context(), "SELECT * FROM t", pgx.QueryExecModeExec)
		if err == nil {
			for rows.Next() {
				t.Error("a row of a schema that does not exist")
			}
			err = rows.Err()
		}
		var missing *driver.MissingSchemaError
		if !errors.As(err, &missing) {
			t.Errorf("error %v, want a MissingSchemaError", err)
		}
	})
}

func TestFixedTextStaysInItsSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	ctx := driver.WithSchema(t.Context(), "a")
	db := openOne(t, dsn)
	onNative(ctx, t, db, func(c native.Conn) {
		text, err := c.Fixed(ctx, ownerQuery)
		if err != nil {
			t.Fatal(err)
		}
		if want := `SELECT owner FROM "a".t WHERE id = 1`; text != want {
			t.Errorf("%s, want %s", text, want)
		}
	})
	for _, test := range []struct {
		params string
		want   error // nil if it can be fixed
	}{
		{"&schema_required=true", driver.ErrSchemaRequired},
		{"&schema_required=context&schema=a&schema_mode=template", driver.ErrSchemaRequired},
		{"&schema_required=context&schema=b", nil},
		{"&schema_required=true&schema=a", nil},
	} {
		onNative(t.Context(), t, openOne(t, dsn+test.params), func(c native.Conn) {
			if _, err := c.Fixed(ctx, ownerQuery); !errors.Is(err, test.want) {
				t.Errorf("%s: error %v, want %v", test.params, err, test.want)
			}
		})
	}
}

// The transactions that a facade hands out stay in its schema.
func TestPinnedTransaction(t *testing.T) {
	t.Parallel()
	db := openOne(t, newTenants(t, "a", "b"))
	pinned := schemactx.With(t.Context(), &schemactx.Binding{Schema: "a", Pinned: true})
	tx := begin(pinned, t, db)
	other := driver.WithSchema(t.Context(), "b")
	wantOwner(other, t, tx, "a")
	wantOwner(driver.WithoutSchema(t.Context()), t, tx, "a")
	stmt := prepare(other, t, tx, ownerQuery)
	var owner string
	if err := stmt.QueryRowContext(other).Scan(&owner); err != nil || owner != "a" {
		t.Errorf("a statement of the transaction read the row of %q, %v; want a", owner, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantOwner(other, t, db, "b") // on the same connection
}

func TestProbeIsAnswered(t *testing.T) {
	t.Parallel()
	db := openOne(t, server.Database(t))
	for _, what := range []string{"a new connection", "an idle connection"} {
		var probe native.Probe
		conn, err := db.Conn(native.WithProbe(t.Context(), &probe))
		if err != nil {
			t.Fatal(err)
		}
		if !probe.Seen {
			t.Errorf("%s does not answer", what)
		}
		_ = conn.Close()
	}
}
