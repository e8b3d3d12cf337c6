package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
)

// Transaction control and settings, in any order, at the beginning of a transaction under a context: the switch of the path is not a query.
func TestSettingsBeforeTheFirstQuery(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	for _, way := range schemaWays {
		for _, args := range []bool{false, true} {
			for _, begin := range [][]string{
				{"SET LOCAL my.x = 'y'", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
				{"SET LOCAL statement_timeout = '1min'", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION READ ONLY"},
				{"SET CONSTRAINTS ALL DEFERRED", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
				{"SHOW transaction_isolation", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
				{"RESET my.x", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE DEFERRABLE"},
				{"SAVEPOINT s", "RELEASE s", "SET LOCAL my.x = 'y'"},
			} {
				dbs := way.open(t, dsn, 1, "a")
				ctx, db := dbs.of(t, "a")
				err := inTx(ctx, db, func(tx *sql.Tx) error {
					for _, statement := range begin {
						var err error
						if args {
							err = readAll(ctx, tx, way.sql(statement))
						} else {
							_, err = tx.Exec(way.sql(statement))
						}
						if err != nil {
							return errors.Join(errors.New(statement), err)
						}
					}
					return wantRow(tx.QueryRow(way.sql("SELECT owner FROM TABLE_T")), "a")
				})
				if err != nil {
					t.Errorf("%s, %q: %v", way.name, begin, err)
				}
			}
		}
	}
}

// LOCK TABLE as the first statement comes before the snapshot: what is committed until the lock is granted is seen.
func TestLockComesBeforeTheSnapshot(t *testing.T) {
	t.Parallel()
	for _, way := range schemaWays {
		for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
			t.Run(way.name+"/"+level.String(), func(t *testing.T) {
				t.Parallel()
				dsn := newTenants(t, "a")
				ctx, db := way.open(t, dsn, 1, "a").of(t, "a")
				other := openAs(t, "pgx", dsn)
				writer := begin(t.Context(), t, other)
				exec(t.Context(), t, writer, "UPDATE a.t SET owner = 'changed'")
				tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
				if err != nil {
					t.Fatal(err)
				}
				defer tx.Rollback()
				locked := make(chan error)
				go func() { locked <- second(tx.Exec(way.sql("LOCK TABLE TABLE_T IN ACCESS EXCLUSIVE MODE"))) }()
				eventually(t, "LOCK TABLE waits", func() bool {
					return get[int](t.Context(), t, other, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a.t'::regclass") == 1
				})
				if err := writer.Commit(); err != nil {
					t.Fatal(err)
				}
				if err := <-locked; err != nil {
					t.Fatal(err)
				}
				if got := get[string](t.Context(), t, tx, way.sql("SELECT owner FROM TABLE_T")); got != "changed" {
					t.Errorf("the snapshot is older than the lock: it has the row %q", got)
				}
			})
		}
	}
}

// LOCK TABLE locks the table of its own context's schema, and fails where there is none.
func TestLockTableOfTheSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	db, other := openOne(t, withSchema(t, dsn, "a")), openAs(t, "pgx", dsn)
	for _, schema := range []string{"b", "a", "missing"} {
		ctx := driver.WithSchema(t.Context(), schema)
		tx := begin(ctx, t, db)
		_, err := tx.Exec("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
		if schema == "missing" {
			wantMissing(t, "LOCK TABLE", err, schema)
		} else if err != nil {
			t.Error(err)
		}
		const query = "SELECT coalesce(string_agg(relation::regclass::text, ','), '') FROM pg_locks WHERE mode = 'AccessExclusiveLock' " +
			"AND relation IN ('a.t'::regclass, 'b.t'::regclass, 'public.t'::regclass)"
		want := map[string]string{"a": "a.t", "b": "b.t", "missing": ""}[schema]
		if got := get[string](t.Context(), t, other, query); got != want {
			t.Errorf("under %s it has locked %q", schema, got)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// SET CONSTRAINTS looks names up too.
func TestSetConstraintsOfTheSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	admin(t, dsn, "ALTER TABLE b.t ADD CONSTRAINT only_b UNIQUE (owner) DEFERRABLE")
	db := openOne(t, withSchema(t, dsn, "a"))
	for schema, code := range map[string]string{"a": "42704", "b": ""} {
		tx := begin(driver.WithSchema(t.Context(), schema), t, db)
		if _, err := tx.Exec("SET CONSTRAINTS only_b DEFERRED"); (err == nil) != (code == "") || err != nil && !hasCode(err, code) {
			t.Errorf("under %s: %v", schema, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// A deferred constraint trigger that uses bare names runs at COMMIT in the schema of the transaction, whatever the last statement's was.
func TestDeferredTriggerRunsInTheTransactionsSchema(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for what, dsnSchema := range map[string]string{"without a schema in the DSN": "", "DSN of the other": "&schema=b", "DSN of the third": "&schema=c"} {
			t.Run(option+"/"+what, func(t *testing.T) {
				t.Parallel()
				dsn := newTenants(t, "a", "b", "c")
				admin(t, dsn, "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO notes VALUES (NEW.owner); RETURN NULL; END$$")
				for _, schema := range []string{"public", "a", "b", "c"} {
					admin(t, dsn, "CREATE TABLE "+schema+".notes (note text)",
						"CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON "+schema+".t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note()")
				}
				db, ctx := openOne(t, dsn+"&schema_mode=search_path"+settings+dsnSchema), driver.WithSchema(t.Context(), "a")
				for _, last := range []func(*sql.Tx) error{
					func(tx *sql.Tx) error { return second(tx.ExecContext(in("b")(t.Context()), "UPDATE t SET id = $1", 1)) },
					func(tx *sql.Tx) error { return tryBare(in("b")(t.Context()), tx) },
					func(tx *sql.Tx) error {
						return second(tx.ExecContext(in("b")(t.Context()), "DELETE FROM t WHERE id = 9"))
					},
					func(tx *sql.Tx) error { return tryBare(driver.WithoutSchema(t.Context()), tx) },
				} {
					err := inTx(ctx, db, func(tx *sql.Tx) error {
						return errors.Join(second(tx.Exec("UPDATE t SET owner = $1", "a")), last(tx))
					})
					if err != nil {
						t.Error(err)
					}
				}
				for _, other := range []string{"public", "b", "c"} {
					if n := get[int](t.Context(), t, openAs(t, "pgx", dsn), "SELECT count(*) FROM "+other+".notes"); n > 0 {
						t.Errorf("%d notes of a's transactions are in %s", n, other)
					}
				}
			})
		}
	}
}

// COMMIT of a failed transaction gives what plain pgx gives, and so does one whose deferred constraint fails.
func TestFailedCommitAsByPgx(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	admin(t, dsn, "CREATE TABLE a.unique_one (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	plain := openAs(t, "pgx", dsn+"&search_path=a")
	commit := func(ctx, other context.Context, db *sql.DB, statements ...string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, statement := range statements {
			_, _ = tx.ExecContext(ctx, statement)
		}
		_ = tryBare(other, tx)
		return tx.Commit()
	}
	for _, dsnSchema := range []string{"", "&schema=b", "&schema=a"} {
		db, ctx := openOne(t, dsn+"&schema_mode=search_path"+dsnSchema), in("a")(t.Context())
		for _, statements := range [][]string{{"SELECT 1 / 0"}, {"INSERT INTO unique_one VALUES (1), (1)"}, {"SELECT nothing"}, {}, {"ROLLBACK"}, {"COMMIT"}} {
			want := commit(t.Context(), t.Context(), plain, statements...)
			for _, other := range []context.Context{ctx, in("b")(t.Context()), in("missing")(t.Context())} {
				got := commit(ctx, other, db, statements...)
				if schema, _ := driver.SchemaFromContext(other); schema == "missing" && (want == nil || hasCode(want, "23505")) {
					continue // it has failed the transaction
				}
				if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
					t.Errorf("%s: COMMIT after %q: %v, want %v", dsnSchema, statements, got, want)
				}
			}
			wantBareOwner(ctx, t, db, "a")
		}
	}
}

// In a failed transaction the server refuses everything, the switch of a path too, and the caller gets its error.
func TestFailedTransactionRefusesAll(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	for option, settings := range differently {
		for _, way := range schemaWays {
			for known := range 3 {
				ctx, db := way.open(t, dsn+settings, 1, "a", "b").of(t, "a")
				query := way.sql("SELECT owner FROM TABLE_T WHERE id = $1")
				for range known {
					if err := readAll(ctx, db, query, 1); err != nil {
						t.Fatal(err)
					}
				}
				tx := begin(ctx, t, db)
				_, _ = tx.Exec("SELECT 1 / 0")
				for how, err := range map[string]error{
					"query":   readAll(t.Context(), tx, query, 1),
					"exec":    second(tx.Exec(way.sql("UPDATE TABLE_T SET owner = $1"), "x")),
					"text":    second(tx.Exec(way.sql("DELETE FROM TABLE_T"))),
					"prepare": readAll(t.Context(), asStmt{tx}, query, 1),
					"another": readAll(in("b")(t.Context()), tx, query, 1),
					"lock":    second(tx.Exec(way.sql("LOCK TABLE TABLE_T"))),
				} {
					if !hasCode(err, "25P02") {
						t.Errorf("%s, %s, %s, used %d times before: %v", option, way.name, how, known, err)
					}
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
