package peertests

import (
	"context"
	"database/sql"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/aarondl/sqlboiler/v4/queries"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// library inserts a user and reads the emails, as one of the libraries does it.
type library struct {
	name   string
	insert func(ctx context.Context, db executor, email string) error
	emails func(ctx context.Context, db executor) ([]string, error)
}

const (
	insertUser = "INSERT INTO {{tables.users}} (email) VALUES ($1)"
	allEmails  = "SELECT email FROM {{tables.users}} ORDER BY id"
)

var libraries = []library{
	{
		name: "sqlc",
		insert: func(ctx context.Context, db executor, email string) error {
			var q DBTX = db
			_, err := q.ExecContext(ctx, insertUser, email)
			return err
		},
		emails: func(ctx context.Context, db executor) ([]string, error) {
			var q DBTX = db
			return scanEmails(q.QueryContext(ctx, allEmails))
		},
	},
	{
		name: "sqlc with prepared queries",
		insert: func(ctx context.Context, db executor, email string) error {
			stmt, err := db.PrepareContext(ctx, insertUser)
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.ExecContext(ctx, email)
			return err
		},
		emails: func(ctx context.Context, db executor) ([]string, error) {
			stmt, err := db.PrepareContext(ctx, allEmails)
			if err != nil {
				return nil, err
			}
			defer stmt.Close()
			return scanEmails(stmt.QueryContext(ctx))
		},
	},
	{
		name: "squirrel",
		insert: func(ctx context.Context, db executor, email string) error {
			_, err := insertWith(email).RunWith(db).ExecContext(ctx)
			return err
		},
		emails: func(ctx context.Context, db executor) ([]string, error) {
			return scanEmails(selectEmails.RunWith(db).QueryContext(ctx))
		},
	},
	{
		name: "squirrel without contexts",
		insert: func(_ context.Context, db executor, email string) error {
			_, err := insertWith(email).RunWith(db).Exec()
			return err
		},
		emails: func(_ context.Context, db executor) ([]string, error) {
			return scanEmails(selectEmails.RunWith(db).Query())
		},
	},
	{
		name: "squirrel's statement cache",
		insert: func(_ context.Context, db executor, email string) error {
			cache := squirrel.NewStmtCache(db)
			if _, err := insertWith(email).RunWith(cache).Exec(); err != nil {
				return err
			}
			return cache.Clear()
		},
		emails: func(_ context.Context, db executor) ([]string, error) {
			cache := squirrel.NewStmtCache(db)
			all, err := scanEmails(selectEmails.RunWith(cache).Query())
			if err != nil {
				return nil, err
			}
			return all, cache.Clear()
		},
	},
	{
		name: "sqlboiler",
		insert: func(ctx context.Context, db executor, email string) error {
			_, err := queries.Raw(insertUser, email).ExecContext(ctx, db)
			return err
		},
		emails: func(ctx context.Context, db executor) ([]string, error) {
			var rows []*struct {
				Email string `boil:"email"`
			}
			if err := queries.Raw(allEmails).Bind(ctx, db, &rows); err != nil {
				return nil, err
			}
			var all []string
			for _, row := range rows {
				all = append(all, row.Email)
			}
			return all, nil
		},
	},
}

var selectEmails = squirrel.Select("email").From("{{tables.users}}").OrderBy("id")

func insertWith(email string) squirrel.InsertBuilder {
	return squirrel.Insert("{{tables.users}}").Columns("email").Values(email).PlaceholderFormat(squirrel.Dollar)
}

func scanEmails(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var email string
		if err := rows.Scan(&email); err != nil {
			return nil, err
		}
		all = append(all, email)
	}
	return all, rows.Err()
}

// odd is a schema name that has to be quoted.
const odd = `Größe-"7"`

// Each library works on views of one pool, and each view stays in its schema whatever the context says.
func TestLibraries(t *testing.T) {
	t.Parallel()
	onDrivers(t, []string{"a", odd, "elsewhere"}, func(t *testing.T, pool *sql.DB) {
		ctx := driver.WithSchema(t.Context(), "elsewhere")
		for _, lib := range libraries {
			for _, schema := range []string{"a", odd} {
				db := schemadb.New(pool, schema)
				for _, view := range views {
					t.Run(lib.name+"/"+schema+"/"+view.name, func(t *testing.T) {
						wantNil(t, view.use(ctx, db, func(q facade) error {
							if err := lib.insert(ctx, q, "new"); err != nil {
								return err
							}
							all, err := lib.emails(ctx, q)
							if err != nil {
								return err
							}
							if len(all) != 2 || all[0] != schema || all[1] != "new" {
								t.Errorf("read %q, want %q and new", all, schema)
							}
							return nil
						}))
						wantEmails(t, db, schema+" new")
						_, err := db.Exec("DELETE FROM {{tables.users}} WHERE email = 'new'")
						wantNil(t, err)
					})
				}
			}
		}
		wantEmails(t, schemadb.New(pool, "elsewhere"), "elsewhere")
		wantEmails(t, schemadb.New(pool, "public"), "public")
	})
}

// What sqlboiler and GORM begin is a *sql.Tx: it stays in the facade's schema on pgdbm, and is refused elsewhere.
func TestLibrariesBegin(t *testing.T) {
	t.Parallel()
	onDrivers(t, []string{"a", "elsewhere"}, func(t *testing.T, pool *sql.DB) {
		ctx := driver.WithSchema(t.Context(), "elsewhere")
		db := schemadb.New(pool, "a")
		conn, err := db.Connx(ctx)
		wantNil(t, err)
		defer conn.Close()
		_, native := pool.Driver().(*driver.Driver)
		for name, begin := range map[string]func(context.Context, *sql.TxOptions) (*sql.Tx, error){
			"DB":    db.BeginTx,
			"Begin": func(context.Context, *sql.TxOptions) (*sql.Tx, error) { return db.Begin() },
			"Conn":  conn.BeginTx,
		} {
			t.Run(name, func(t *testing.T) {
				tx, err := begin(ctx, nil)
				if !native {
					wantError(t, err, "BeginTx", "BeginTxx or InTx")
					return
				}
				wantNil(t, err)
				defer tx.Rollback()
				var rows []*struct {
					Email string `boil:"email"`
				}
				wantNil(t, queries.Raw(allEmails).Bind(ctx, tx, &rows))
				if len(rows) != 1 || rows[0].Email != "a" {
					t.Errorf("read %d rows, want the one of a", len(rows))
				}
			})
		}
	})
}
