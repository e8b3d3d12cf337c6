package sqlc_test

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/examples/orms/sqlc"
	"github.com/pgdbm/pgdbm/examples/orms/sqlc/bare"
	"github.com/pgdbm/pgdbm/examples/orms/sqlc/template"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// queries are what both packages generate.
type queries interface {
	AddUser(ctx context.Context, email, name string) (int64, error)
	AddPost(ctx context.Context, userID int64, title string) (int64, error)
	TenantsOfUsers(ctx context.Context, prefix string) ([]string, error)
	TitlesOf(ctx context.Context, email string) ([]string, error)
	RenameUser(ctx context.Context, id int64, name string) (int64, error)
	DeletePosts(ctx context.Context, ids []int64) error
	DeleteUsers(ctx context.Context, ids []int64) error
	Close() error
}

// generated are the functions of one package.
type generated struct {
	new     func(template.DBTX) queries
	prepare func(context.Context, template.DBTX) (queries, error)
	withTx  func(queries, *sql.Tx) queries
}

var (
	ofBare = generated{
		func(db template.DBTX) queries { return bare.New(db) },
		func(ctx context.Context, db template.DBTX) (queries, error) { return bare.Prepare(ctx, db) },
		func(q queries, tx *sql.Tx) queries { return q.(*bare.Queries).WithTx(tx) },
	}
	ofTemplate = generated{
		func(db template.DBTX) queries { return template.New(db) },
		func(ctx context.Context, db template.DBTX) (queries, error) { return template.Prepare(ctx, db) },
		func(q queries, tx *sql.Tx) queries { return q.(*template.Queries).WithTx(tx) },
	}
)

// ways are both packages, in the modes in which they work.
var ways = []struct {
	name, mode string
	generated
}{
	{"template", "schema_mode=template", ofTemplate},
	{"bare name", "schema_mode=search_path", ofBare},
	{"template under a path", "schema_mode=search_path", ofTemplate},
}

func TestTenants(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			queries := way.new(tenants.New(t).Open(way.mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { workWith(t, ctx, queries, tenant) })
		})
	}
}

// Statements are prepared once, by nobody in particular or by one of the tenants, and run in the schema of whoever executes them.
func TestPrepared(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, by := range []string{"", tenants.Acme} {
			t.Run(way.name+" by "+by, func(t *testing.T) {
				t.Parallel()
				db := tenants.New(t).Open(way.mode)
				ctx := t.Context()
				if by != "" {
					ctx = driver.WithSchema(ctx, by)
				}
				queries, err := way.prepare(ctx, db)
				wantNil(t, err)
				t.Cleanup(func() { wantNil(t, queries.Close()) })
				tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
					for range 3 {
						workWith(t, ctx, queries, tenant)
					}
					inTransaction(t, ctx, db, way.generated, queries, tenant)
				})
			})
		}
	}
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				inTransaction(t, ctx, db, way.generated, way.new(db), tenant)
			})
		})
	}
}

func inTransaction(t *testing.T, ctx context.Context, db *sql.DB, of generated, queries queries, tenant string) {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	wantNil(t, err)
	defer tx.Rollback()
	workWith(t, t.Context(), of.withTx(queries, tx), tenant)
	wantNil(t, tx.Commit())
}

// The facade of schemadb is a DBTX, and so is its transaction. They stay in their schema.
func TestFacade(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			pool := tenants.New(t).Open(way.mode)
			tenants.Each(t, func(t *testing.T, _ context.Context, tenant string) {
				db := schemadb.New(pool, tenant)
				workWith(t, t.Context(), way.new(db), tenant)
				prepared, err := way.prepare(t.Context(), db)
				wantNil(t, err)
				workWith(t, t.Context(), prepared, tenant)
				wantNil(t, prepared.Close())
				wantNil(t, db.InTx(t.Context(), func(tx *schemadb.Tx) error {
					workWith(t, t.Context(), way.new(tx), tenant)
					return nil
				}))
			})
		})
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	db := tenants.New(t).Open("schema_mode=template")
	queries, err := template.Prepare(t.Context(), db)
	wantNil(t, err)
	t.Cleanup(func() { wantNil(t, queries.Close()) })
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		id, _, err := sqlc.Register(ctx, db, queries, "cay@"+tenant, "Cay", "First")
		wantNil(t, err)
		user, err := queries.User(ctx, id)
		wantNil(t, err)
		if want := (template.User{ID: id, Email: "cay@" + tenant, Name: "Cay", Tenant: tenant}); user != want {
			t.Errorf("read %v, want %v", user, want)
		}
		if _, _, err := sqlc.Register(ctx, db, queries, "cay@"+tenant, "Cay", "First"); err == nil {
			t.Error("the same user could register twice")
		}
	})
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, queries queries, tenant string) {
	t.Helper()
	user, err := queries.AddUser(ctx, "cay@"+tenant, "Cay")
	wantNil(t, err)
	post, err := queries.AddPost(ctx, user, "From "+tenant)
	wantNil(t, err)
	renamed, err := queries.RenameUser(ctx, user, "Cay of "+tenant)
	wantNil(t, err)
	if renamed != 1 {
		t.Errorf("renamed %d users, want 1", renamed)
	}
	all, err := queries.TenantsOfUsers(ctx, "")
	wantNil(t, err)
	if want := []string{tenant, tenant, tenant}; !slices.Equal(all, want) {
		t.Errorf("read users of %q, want %q", all, want)
	}
	for email, want := range map[string][]string{
		"ann@" + tenant: {"Hello from " + tenant, "More from " + tenant},
		"cay@" + tenant: {"From " + tenant},
	} {
		titles, err := queries.TitlesOf(ctx, email)
		wantNil(t, err)
		if !slices.Equal(titles, want) {
			t.Errorf("read %q of %s, want %q", titles, email, want)
		}
	}
	wantNil(t, queries.DeletePosts(ctx, []int64{post}))
	wantNil(t, queries.DeleteUsers(ctx, []int64{user}))
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
