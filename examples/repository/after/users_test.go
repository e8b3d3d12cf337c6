package users_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	users "github.com/pgdbm/pgdbm/examples/repository/after"
	"github.com/pgdbm/pgdbm/examples/repository/internal/userstest"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/schemadb"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestRepository(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	pool, err := sql.Open("pgdbm", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	createTables(t, schemadb.New(pool, "office"))
	office := users.New(schemadb.New(pool, "office"))
	userstest.Check(t, office)
}

// TestTenants has several of them on one pool. The last one finds nothing of what the others did on its connections.
func TestTenants(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, db *schemadb.DB) {
		acme, globex, initech := newTenant(t, db, "acme"), newTenant(t, db, "globex"), newTenant(t, db, "initech")
		create(t, acme, "Ada", "Grace")
		create(t, globex, "Alan")
		userstest.Check(t, initech)
		wantNames(t, acme, "map[Ada@example.com:Ada Grace@example.com:Grace]")
		wantNames(t, globex, "map[Alan@example.com:Alan]")
		if u, found, err := globex.ByEmail(t.Context(), "Ada@example.com"); found || err != nil {
			t.Errorf("globex finds acme's user: %+v, %t, %v", u, found, err)
		}
	})
}

// TestMore copies the users of one tenant to another.
func TestMore(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, db *schemadb.DB) {
		acme, globex := newTenant(t, db, "acme"), newTenant(t, db, "globex")
		created := create(t, acme, "Ada", "Grace")
		ada, grace := created[0], created[1]

		if err := acme.SwapNames(t.Context(), ada.ID, grace.ID); err != nil {
			t.Fatal(err)
		}
		if err := acme.SwapNames(t.Context(), ada.ID, -1); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("swapping names with nobody returned %v", err)
		}

		n, err := globex.Load(t.Context(), acme.All(t.Context()))
		if n != 2 || err != nil {
			t.Fatalf("Load returned %d, %v", n, err)
		}
		wantNames(t, globex, "map[Ada@example.com:Grace Grace@example.com:Ada]")
		newest, err := globex.Newest(t.Context(), 1)
		if err != nil || len(newest) != 1 || newest[0].Name != "Ada" || !newest[0].Created.Equal(grace.Created) {
			t.Errorf("the newest user is %+v, %v", newest, err)
		}

		_, err = globex.Load(t.Context(), acme.All(t.Context()))
		if !schemadb.IsUniqueViolation(err) {
			t.Errorf("loading them again returned %v", err)
		}
		wantNames(t, globex, "map[Ada@example.com:Grace Grace@example.com:Ada]")
	})
}

// onDrivers runs a test on a pool of each driver.
func onDrivers(t *testing.T, test func(t *testing.T, db *schemadb.DB)) {
	t.Helper()
	for _, name := range []string{"pgdbm", "pgx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, err := sql.Open(name, server.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			test(t, schemadb.New(pool, ""))
		})
	}
}

// newTenant returns the users of a tenant, whose schema it creates.
func newTenant(t *testing.T, db *schemadb.DB, tenant string) *users.Repository {
	t.Helper()
	createTables(t, db.ForSchema(tenant))
	repository := users.New(db.ForSchema(tenant))
	return repository
}

func createTables(t *testing.T, db *schemadb.DB) {
	t.Helper()
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), users.Tables); err != nil {
		t.Fatal(err)
	}
}

// create adds users.
func create(t *testing.T, r *users.Repository, names ...string) []users.User {
	t.Helper()
	var created []users.User
	for _, name := range names {
		u := users.User{Email: name + "@example.com", Name: name}
		if err := r.Create(t.Context(), &u); err != nil {
			t.Fatal(err)
		}
		created = append(created, u)
	}
	return created
}

// wantNames fails the test unless these are the users of r.
func wantNames(t *testing.T, r *users.Repository, want string) {
	t.Helper()
	names, err := r.Names(t.Context())
	if got := fmt.Sprint(names); err != nil || got != want {
		t.Errorf("the users are %s, %v; want %s", got, err, want)
	}
}
