package goqu_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/doug-martin/goqu/v9"
	"github.com/doug-martin/goqu/v9/exp"

	"github.com/pgdbm/pgdbm/driver"
	example "github.com/pgdbm/pgdbm/examples/orms/goqu"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are how goqu is told where the table is.
var ways = []struct {
	name, mode string
	table      exp.IdentifierExpression
	prepared   bool
}{
	{"template", "schema_mode=template", goqu.T("{{tables.users}}"), false},
	{"template, prepared", "schema_mode=template", goqu.T("{{tables.users}}"), true},
	{"template in parts", "schema_mode=template", goqu.I("{{tables.users}}"), false},
	{"angles", "schema_mode=template", goqu.T("<<tables.users>>"), false},
	{"schema", "schema_mode=template", goqu.S("{{schema}}").Table("users"), false},
	{"bare name", "schema_mode=search_path", goqu.T("users"), false},
	{"bare name, prepared", "schema_mode=search_path", goqu.T("users"), true},
	{"template under a path", "schema_mode=search_path", goqu.T("{{tables.users}}"), true},
}

// newUsers makes the repository on a database or in a transaction.
type newUsers = func(example.Executor) *example.Users

// eachWay runs a test for both tenants, at the same time, in each way.
func eachWay(t *testing.T, test func(*testing.T, context.Context, *goqu.Database, newUsers, string)) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := example.Open(tenants.New(t).Open(way.mode))
			users := func(db example.Executor) *example.Users { return example.NewUsers(db, way.table, way.prepared) }
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { test(t, ctx, db, users, tenant) })
		})
	}
}

func TestTenants(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *goqu.Database, users newUsers, tenant string) {
		workWith(t, ctx, users(db), tenant)
	})
}

// Both tenants take turns on one connection, whose prepared statements have the same texts.
func TestOneConnection(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *goqu.Database, users newUsers, tenant string) {
		db.Db.(*sql.DB).SetMaxOpenConns(1)
		for range 5 {
			workWith(t, ctx, users(db), tenant)
		}
	})
}

// What has no context has no tenant, and fails if the DSN says that one is required.
func TestNoContext(t *testing.T) {
	t.Parallel()
	db := example.Open(tenants.New(t).Open("schema_mode=template", "schema_required=context"))
	if err := db.From("{{tables.users}}").ScanStructs(&[]example.User{}); !errors.Is(err, driver.ErrSchemaRequired) {
		t.Errorf("ScanStructs: %v", err)
	}
	err := db.WithTx(func(tx *goqu.TxDatabase) error { return tx.From("{{tables.users}}").ScanStructs(&[]example.User{}) })
	if !errors.Is(err, driver.ErrSchemaRequired) {
		t.Errorf("WithTx: %v", err)
	}
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *goqu.Database, users newUsers, tenant string) {
		tx, err := db.BeginTx(ctx, nil)
		wantNil(t, err)
		wantNil(t, tx.Wrap(func() error {
			workWith(t, t.Context(), users(tx), tenant)
			return nil
		}))
	})
}

// lookalikes are values that look like templates, and end literals for those who do not look closely.
var lookalikes = []string{"{{tables.users}}", "it's <<schema>>", `\'{{schema}}`, `"{{tables"."users}}"`, "{{nonsense}}", "$1 ?"}

// goqu writes values into the SQL, unless a statement is prepared. What looks like a template in them is data in both cases.
func TestValuesAreData(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *goqu.Database, users newUsers, _ string) {
		for _, name := range lookalikes {
			added, err := users(db).Add(ctx, example.User{Email: name, Name: name})
			wantNil(t, err)
			got, err := users(db).Named(ctx, name)
			wantNil(t, err)
			if len(got) != 1 || got[0] != added[0] || got[0].Name != name || got[0].Email != name {
				t.Errorf("stored %q, and read %v", name, got)
			}
			_, err = users(db).Delete(ctx, added[0].ID)
			wantNil(t, err)
		}
	})
}

// The facade of schemadb is a database too, also for WithTx, which has no context, and stays in its schema.
func TestFacade(t *testing.T) {
	t.Parallel()
	pool := tenants.New(t).Open("schema_mode=template")
	tenants.Each(t, func(t *testing.T, _ context.Context, tenant string) {
		facade := schemadb.New(pool, tenant)
		work := func(db example.Executor) {
			workWith(t, t.Context(), example.NewUsers(db, goqu.T("{{tables.users}}"), false), tenant)
		}
		work(example.Open(facade))
		wantNil(t, example.Open(facade).WithTx(func(tx *goqu.TxDatabase) error { work(tx); return nil }))
		wantNil(t, facade.InTx(t.Context(), func(tx *schemadb.Tx) error { work(goqu.NewTx("postgres", tx)); return nil }))
	})
}

// The places in which a query may name a table.
func TestTables(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"schema_mode=template", "schema_mode=search_path"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			db := example.Open(tenants.New(t).Open(mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				for _, query := range queries(db) {
					var got string
					if found, err := query.Where(goqu.Ex{"id": 1}).Limit(1).ScanValContext(ctx, &got); err != nil || !found || got != tenant {
						text, _, _ := query.ToSQL()
						t.Errorf("%s: read a row of %q, %v", text, got, err)
					}
				}
			})
		})
	}
}

// queries read the column tenant of the table users, or of posts.
func queries(db *goqu.Database) []*goqu.SelectDataset {
	users, posts := goqu.T("{{tables.users}}"), goqu.S("{{schema}}").Table("posts")
	author := goqu.On(goqu.I("{{tables.users}}.id").Eq(posts.Col("user_id")))
	inner := db.From("{{tables.users}}").Select("id", "tenant")
	return []*goqu.SelectDataset{
		db.From("{{tables.users}}").Select("tenant"),
		db.From("<<tables.users>>").Select("tenant"),
		db.From(users).Select(users.Col("tenant")),
		db.From(goqu.L("{{tables.users}}")).Select("tenant"),
		db.From(goqu.I("{{tables.users}}").As("u")).Select("u.tenant"),
		db.From(inner.As("x")).Select("x.tenant"),
		db.From("x").With("x", inner).Select("tenant"),
		db.From("{{tables.users}}").Select(posts.Col("tenant"), goqu.I("posts.id")).Join(posts, author).FromSelf().Select("tenant"),
	}
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, users *example.Users, tenant string) {
	t.Helper()
	added, err := users.Add(ctx,
		example.User{Email: "cay@" + tenant, Name: "Cay"}, example.User{Email: "dan@" + tenant, Name: "Dan"})
	wantNil(t, err)
	cay, dan := added[0], added[1]
	renamed, err := users.Rename(ctx, cay.ID, "Cay of "+tenant)
	wantNil(t, err)
	id, err := users.Upsert(ctx, example.User{Email: dan.Email, Name: "Eve of " + tenant})
	wantNil(t, err)
	if !renamed || id != dan.ID {
		t.Errorf("renamed %d: %v; upsert hit %d, want %d", cay.ID, renamed, id, dan.ID)
	}
	got, err := users.Named(ctx, "")
	wantNil(t, err)
	want := []example.User{
		{ID: 1, Email: "ann@" + tenant, Name: "Ann of " + tenant, Tenant: tenant},
		{ID: 2, Email: "bob@" + tenant, Name: "Bob of " + tenant, Tenant: tenant},
		{ID: cay.ID, Email: cay.Email, Name: "Cay of " + tenant, Tenant: tenant},
		{ID: dan.ID, Email: dan.Email, Name: "Eve of " + tenant, Tenant: tenant},
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	_, err = users.Delete(ctx, cay.ID, dan.ID)
	wantNil(t, err)
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
