package scany_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/georgysavva/scany/v2/dbscan"
	"github.com/georgysavva/scany/v2/sqlscan"

	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/examples/orms/scany"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are how the SQL says where the tables are.
var ways = []struct{ name, mode, users, posts string }{
	{"template", "schema_mode=template", "{{tables.users}}", "{{tables.posts}}"},
	{"angles", "schema_mode=template", "<<tables.users>>", "<<tables.posts>>"},
	{"schema", "schema_mode=template", "{{schema}}.users", "{{schema}}.posts"},
	{"bare name", "schema_mode=search_path", "users", "posts"},
	{"template under a path", "schema_mode=search_path", "{{tables.users}}", "{{tables.posts}}"},
}

// eachWay runs a test for both tenants, at the same time, in each way.
func eachWay(t *testing.T, test func(*testing.T, context.Context, *sql.DB, func(scany.DB) *scany.Users, string)) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			users := func(db scany.DB) *scany.Users { return scany.NewUsers(db, way.users, way.posts) }
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { test(t, ctx, db, users, tenant) })
		})
	}
}

func TestTenants(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *sql.DB, users func(scany.DB) *scany.Users, tenant string) {
		workWith(t, ctx, users(db), tenant)
	})
}

// Both tenants take turns on one connection, whose prepared statements have the same texts.
func TestOneConnection(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *sql.DB, users func(scany.DB) *scany.Users, tenant string) {
		db.SetMaxOpenConns(1)
		for range 5 {
			workWith(t, ctx, users(db), tenant)
		}
	})
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *sql.DB, users func(scany.DB) *scany.Users, tenant string) {
		tx, err := db.BeginTx(ctx, nil)
		wantNil(t, err)
		defer tx.Rollback()
		workWith(t, t.Context(), users(tx), tenant)
		wantNil(t, tx.Commit())
	})
}

// A connection of its own follows the context of each call too.
func TestConn(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *sql.DB, users func(scany.DB) *scany.Users, tenant string) {
		conn, err := db.Conn(t.Context())
		wantNil(t, err)
		defer conn.Close()
		workWith(t, ctx, users(conn), tenant)
	})
}

// The facade of schemadb is a database too, and stays in its schema, in both modes.
func TestFacade(t *testing.T) {
	eachWay(t, func(t *testing.T, _ context.Context, db *sql.DB, users func(scany.DB) *scany.Users, tenant string) {
		facade := schemadb.New(db, tenant)
		workWith(t, t.Context(), users(facade), tenant)
		wantNil(t, facade.InTx(t.Context(), func(tx *schemadb.Tx) error {
			workWith(t, t.Context(), users(tx), tenant)
			return nil
		}))
	})
}

// An API of dbscan's with its own names for columns reads the same rows.
func TestOwnNames(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, db *sql.DB, _ func(scany.DB) *scany.Users, tenant string) {
		names, err := dbscan.NewAPI(dbscan.WithStructTagKey("col"), dbscan.WithScannableTypes((*sql.Scanner)(nil)))
		wantNil(t, err)
		api, err := sqlscan.NewAPI(names)
		wantNil(t, err)
		var got []struct {
			Schema sql.NullString `col:"tenant"`
			Note   *string        `col:"note"`
		}
		wantNil(t, api.Select(ctx, db, &got, "SELECT tenant, NULL AS note FROM {{tables.users}} WHERE id = 1"))
		if len(got) != 1 || got[0].Schema.String != tenant || got[0].Note != nil {
			t.Errorf("read %v", got)
		}
	})
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, users *scany.Users, tenant string) {
	t.Helper()
	cay, err := users.Add(ctx, "cay@"+tenant, "Cay of "+tenant)
	wantNil(t, err)
	got, err := users.Get(ctx, cay.ID)
	wantNil(t, err)
	if want := (scany.User{ID: cay.ID, Name: "Cay of " + tenant, Tenant: tenant}); cay != want || got != want {
		t.Errorf("added %v and read %v, want %v", cay, got, want)
	}
	all, err := users.Named(ctx, "")
	wantNil(t, err)
	ann := scany.User{ID: 1, Name: "Ann of " + tenant, Tenant: tenant}
	if want := []scany.User{ann, {ID: 2, Name: "Bob of " + tenant, Tenant: tenant}, cay}; !slices.Equal(all, want) {
		t.Errorf("read %v, want %v", all, want)
	}
	var authors []scany.Author
	for author, err := range users.Authors(ctx) {
		wantNil(t, err)
		authors = append(authors, author)
	}
	if want := []scany.Author{
		{User: ann, Post: scany.Post{ID: 1, Title: "Hello from " + tenant, Tenant: tenant}},
		{User: ann, Post: scany.Post{ID: 2, Title: "More from " + tenant, Tenant: tenant}},
	}; !slices.Equal(authors, want) {
		t.Errorf("read %v, want %v", authors, want)
	}
	wantNil(t, users.Delete(ctx, cay.ID))
	if _, err := users.Get(ctx, cay.ID); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("got %v, want sql.ErrNoRows", err)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
