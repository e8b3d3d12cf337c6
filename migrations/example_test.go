package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing/fstest"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// userFiles are like what an embed.FS has: the migrations of a module, with undos for two of them.
var userFiles = fstest.MapFS{
	"001_create_users.sql": {Data: []byte(
		"CREATE TABLE {{tables.users}} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL);\n")},
	"down/001_create_users.sql": {Data: []byte("DROP TABLE {{tables.users}};\n")},
	"002_add_name.sql":          {Data: []byte("ALTER TABLE {{tables.users}} ADD COLUMN name text;\n")},
	"down/002_add_name.sql":     {Data: []byte("ALTER TABLE {{tables.users}} DROP COLUMN name;\n")},
	"003_index_email.sql": {Data: []byte(
		"-- pgdbm:no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON {{tables.users}} (lower(email));\n")},
	"R__domains.sql": {Data: []byte("CREATE OR REPLACE VIEW {{tables.domains}} AS\n" +
		"SELECT DISTINCT split_part(email, '@', 2) AS domain FROM {{tables.users}};\n")},
}

// quiet is a logger for examples. Programs leave the option out, and read in their log what was done.
var quiet = migrations.Logger(slog.New(slog.DiscardHandler))

// newAcme returns a view of a new database, bound to the schema "acme", which does not exist yet, and what drops it.
func newAcme() (acme *schemadb.DB, drop func()) {
	ctx := context.Background()
	dsn, dropDatabase, err := server.CreateDatabase(ctx)
	if err != nil {
		log.Fatal(err)
	}
	db, err := schemadb.Open(ctx, schemadb.Config{DSN: dsn, MaxOpenConns: 10})
	if err != nil {
		log.Fatal(err)
	}
	return db.ForSchema("acme"), func() {
		_ = db.Close()
		if err := dropDatabase(ctx); err != nil {
			log.Fatal(err)
		}
	}
}

// newMigrator returns a migrator of userFiles for the schema.
func newMigrator(db *schemadb.DB) *migrations.Migrator {
	m, err := migrations.New(db, userFiles, quiet)
	if err != nil {
		log.Fatal(err)
	}
	return m
}

func Example() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()

	// In a program, the files are an embed.FS:
	//
	//	//go:embed migrations
	//	var files embed.FS
	m, err := migrations.New(acme, userFiles, migrations.Module("users"), quiet)
	if err != nil {
		log.Fatal(err)
	}
	result, err := m.Apply(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range result.Files() {
		fmt.Println(file)
	}

	result, err = m.Apply(ctx) // as when the program starts again
	fmt.Println(len(result.Steps), "more", err)
	// Output:
	// 001_create_users.sql
	// 002_add_name.sql
	// 003_index_email.sql
	// R__domains.sql
	// 0 more <nil>
}

func ExampleMigrator_Status() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	m := newMigrator(acme)
	if _, err := m.MigrateTo(ctx, 2); err != nil {
		log.Fatal(err)
	}

	all, err := m.Status(ctx)
	for _, s := range all {
		fmt.Println(s.Migration.File, s.State, s.Migration.Undoable)
	}
	fmt.Println(all[0].Record.AppliedBy != nil, all[2].Record == nil, err)
	// Output:
	// 001_create_users.sql applied true
	// 002_add_name.sql applied true
	// 003_index_email.sql pending false
	// R__domains.sql pending false
	// true true <nil>
}

func ExampleMigrator_Pending() {
	acme, drop := newAcme()
	defer drop()

	pending, err := newMigrator(acme).Pending(context.Background())
	fmt.Println(len(pending), "migrations are pending, the first is", pending[0].Name, err)
	// Output: 4 migrations are pending, the first is create_users <nil>
}

func ExampleMigrator_Plan() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	m := newMigrator(acme)
	if _, err := m.MigrateTo(ctx, 2); err != nil {
		log.Fatal(err)
	}

	plan, err := m.Plan(ctx) // changes nothing
	for _, p := range plan {
		fmt.Printf("-- %s\n%s", p.File, p.SQL)
	}
	fmt.Println(err)
	// Output:
	// -- 003_index_email.sql
	// CREATE UNIQUE INDEX CONCURRENTLY users_email ON "acme".users (lower(email));
	// -- R__domains.sql
	// CREATE OR REPLACE VIEW "acme".domains AS
	// SELECT DISTINCT split_part(email, '@', 2) AS domain FROM "acme".users;
	// <nil>
}

func ExampleMigrator_Verify() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	if _, err := newMigrator(acme).MigrateTo(ctx, 2); err != nil {
		log.Fatal(err)
	}

	edited := fstest.MapFS{}
	for name, file := range userFiles {
		edited[name] = file
	}
	edited["002_add_name.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE {{tables.users}} ADD COLUMN name varchar(80);\n")}
	m, err := migrations.New(acme, edited, quiet)
	if err != nil {
		log.Fatal(err)
	}
	var drift *migrations.DriftError
	if errors.As(m.Verify(ctx), &drift) {
		fmt.Println("changed:", drift.Changed, "removed:", drift.Removed, "out of order:", drift.OutOfOrder)
	}
	// Output: changed: [002_add_name.sql] removed: [] out of order: []
}

func ExampleMigrator_MigrateTo() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	m := newMigrator(acme)

	for _, version := range []int64{2, 1, 0} {
		result, err := m.MigrateTo(ctx, version)
		if err != nil {
			log.Fatal(err)
		}
		for _, s := range result.Steps {
			fmt.Println(version, s.Migration.File, "undo:", s.Undo)
		}
	}
	_, err := m.MigrateTo(ctx, 7)
	fmt.Println(err)
	// Output:
	// 2 001_create_users.sql undo: false
	// 2 002_add_name.sql undo: false
	// 1 002_add_name.sql undo: true
	// 0 001_create_users.sql undo: true
	// pgdbm: no migration has version 7; there are 1, 2, 3
}

func ExampleMigrator_Rollback() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	m := newMigrator(acme)
	if _, err := m.MigrateTo(ctx, 2); err != nil {
		log.Fatal(err)
	}

	result, err := m.Rollback(ctx, 1)
	fmt.Println(result.Files(), err)

	if _, err := m.Apply(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = m.Rollback(ctx, 2) // 003 has no undo, so 002 stays too
	var missing *migrations.UndoError
	fmt.Println(errors.As(err, &missing), missing.Files)
	// Output:
	// [002_add_name.sql] <nil>
	// true [003_index_email.sql]
}

func ExampleMigrator_Baseline() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	// The database is older than its migrations, and has what the first one does.
	acme.MustExec("CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.users}} (id bigint PRIMARY KEY, email text NOT NULL)")
	m := newMigrator(acme)

	result, err := m.Baseline(ctx, 1)
	fmt.Println("recorded:", result.Files(), err)
	result, err = m.Apply(ctx)
	fmt.Println("applied:", result.Files(), err)
	// Output:
	// recorded: [001_create_users.sql] <nil>
	// applied: [002_add_name.sql 003_index_email.sql R__domains.sql] <nil>
}

func ExampleMigrator_Forget() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()
	m := newMigrator(acme)
	if _, err := m.Apply(ctx); err != nil {
		log.Fatal(err)
	}

	acme.MustExec("DROP INDEX {{schema}}.users_email") // somebody has undone 003 by hand
	if _, err := m.Forget(ctx, "003_index_email.sql"); err != nil {
		log.Fatal(err)
	}
	result, err := m.Apply(ctx)
	fmt.Println(result.Files(), err)
	_, err = m.Forget(ctx, "004_no_such_file.sql")
	fmt.Println(errors.Is(err, migrations.ErrNotApplied))
	// Output:
	// [003_index_email.sql] <nil>
	// true
}

func ExampleMigrationError() {
	acme, drop := newAcme()
	defer drop()
	m, err := migrations.New(acme, fstest.MapFS{
		"001_create_users.sql": {Data: []byte("CREATE TABLE {{tables.users}} (id bigint PRIMARY KEY, email text);")},
		"002_add_index.sql":    {Data: []byte("-- found by the login\nCREATE INDEX ON {{tables.users}} (lower(emial));")},
	}, migrations.Module("users"), quiet)
	if err != nil {
		log.Fatal(err)
	}

	_, err = m.Apply(context.Background())
	fmt.Println(err)
	var failed *migrations.MigrationError
	if errors.As(err, &failed) {
		fmt.Println(failed.File, failed.Line, failed.Column, failed.Applied)
	}
	// Output:
	// pgdbm: module "users" in schema "acme": 002_add_index.sql:2:41: ERROR: column "emial" does not exist (SQLSTATE 42703)
	//   2 | CREATE INDEX ON {{tables.users}} (lower(emial));
	//     |                                         ^
	//   HINT: Perhaps you meant to reference the column "users.email".
	//   done before it: 001_create_users.sql
	// 002_add_index.sql 2 41 [001_create_users.sql]
}

func ExampleGo() {
	acme, drop := newAcme()
	defer drop()
	ctx := context.Background()

	fill := func(ctx context.Context, tx *schemadb.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE {{tables.users}} SET name = initcap(split_part(email, '@', 1)) WHERE name IS NULL")
		return err
	}
	m, err := migrations.New(acme, userFiles, migrations.Go(4, "fill_names", fill, nil), quiet)
	if err != nil {
		log.Fatal(err)
	}
	result, err := m.Apply(ctx)
	fmt.Println(result.Files(), err)
	// Output: [001_create_users.sql 002_add_name.sql 003_index_email.sql 004_fill_names.go R__domains.sql] <nil>
}

func ExampleBefore() {
	acme, drop := newAcme()
	defer drop()
	m, err := migrations.New(acme, userFiles, quiet,
		migrations.Before(func(_ context.Context, s migrations.Step) error {
			fmt.Println("begins:", s.Schema, s.Migration.Name)
			return nil
		}),
		migrations.After(func(_ context.Context, s migrations.Step, err error) {
			fmt.Println("ends:", s.Schema, s.Migration.Name, err)
		}))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.MigrateTo(context.Background(), 1); err != nil {
		log.Fatal(err)
	}
	// Output:
	// begins: acme create_users
	// ends: acme create_users <nil>
}

func ExampleApplyAll() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background() // in a program: signal.NotifyContext, so that Ctrl-C ends the run in good order
	tenants := []string{"acme", "globex", "initech"}

	result, err := migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants), quiet,
		migrations.Parallel(2),
		migrations.Progress(func(r migrations.Report) {
			fmt.Println(r.Applied+r.UpToDate+r.Failed, "of", r.Total)
		}))
	fmt.Println(len(result.Applied), "applied,", len(result.Failed), "failed,", err)

	tenants = append(tenants, "umbrella")
	result, err = migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants), quiet)
	fmt.Println(len(result.Applied), "applied,", len(result.UpToDate), "up to date,", err)
	// Output:
	// 1 of 3
	// 2 of 3
	// 3 of 3
	// 3 applied, 0 failed, <nil>
	// 1 applied, 3 up to date, <nil>
}

func ExampleCanary() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background()
	tenants := []string{"acme", "globex", "initech"}

	result, err := migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants), quiet,
		migrations.Canary(1, func(_ context.Context, soFar *migrations.AllResult) error {
			fmt.Println("first:", soFar.Applied[0].Schema)
			return errors.New("the dashboard is red") // look at what the first one does with its new tables
		}))
	fmt.Println(len(result.Applied), "applied,", len(result.NotReached), "not reached:", err != nil)

	// Later, the rest.
	result, err = migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants), quiet, migrations.OnlyFailed(result))
	fmt.Println(len(result.Applied), "applied,", err)
	// Output:
	// first: acme
	// 1 applied, 2 not reached: true
	// 2 applied, <nil>
}

func ExampleStatusAll() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background()
	tenants := []string{"acme", "globex", "initech"}
	if _, err := migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants[:2]), quiet); err != nil {
		log.Fatal(err)
	}

	status, err := migrations.StatusAll(ctx, db, userFiles, slices.Values(tenants))
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range status.Groups {
		if g.Migration == nil {
			fmt.Println("new:", g.Schemas)
			continue
		}
		fmt.Println(g.Migration.File, g.Schemas)
	}
	for _, s := range status.Behind {
		fmt.Println(s.Schema, "has", s.Pending, "to come")
	}
	// Output:
	// new: [initech]
	// 003_index_email.sql [acme globex]
	// initech has 4 to come
}

func ExampleAllError() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background()
	// One tenant has a table that is in the way.
	db.MustExec("CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.users}} (id int)")

	_, err := migrations.ApplyAll(ctx, db, userFiles, slices.Values([]string{"acme", "globex"}), quiet)
	var all *migrations.AllError
	if errors.As(err, &all) {
		for _, f := range all.Failed {
			var failed *migrations.MigrationError
			if errors.As(f.Err, &failed) {
				fmt.Println(f.Schema, failed.File, failed.Line)
			}
		}
	}
	// Output: acme 001_create_users.sql 1
}

func ExampleSharedHistory() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background()
	tenants := []string{"acme", "globex"}

	shared := migrations.SharedHistory("admin")
	if _, err := migrations.ApplyAll(ctx, db, userFiles, slices.Values(tenants), quiet, shared); err != nil {
		log.Fatal(err)
	}
	rows, err := schemadb.Collect[string](ctx, db,
		"SELECT schema_name || ' ' || count(*) FROM {{tables.admin.schema_migrations_shared}} GROUP BY schema_name ORDER BY 1")
	fmt.Println(rows, err)
	there, err := db.TableExists(ctx, "schema_migrations")
	fmt.Println(there, err)
	// Output:
	// [acme 4 globex 4] <nil>
	// false <nil>
}

func ExampleApplyModules() {
	db, drop := newAcme()
	defer drop()
	ctx := context.Background()
	invoiceFiles := fstest.MapFS{"001_create_invoices.sql": {Data: []byte(
		"CREATE TABLE {{tables.invoices}} (id bigint PRIMARY KEY, user_id bigint REFERENCES {{tables.users.users}} (id));")}}

	invoices, err := migrations.New(db.ForSchema("invoices"), invoiceFiles,
		migrations.Module("invoices"), migrations.DependsOn("users"), quiet)
	if err != nil {
		log.Fatal(err)
	}
	users, err := migrations.New(db.ForSchema("users"), userFiles, migrations.Module("users"), quiet)
	if err != nil {
		log.Fatal(err)
	}
	results, err := migrations.ApplyModules(ctx, invoices, users)
	for _, r := range results {
		fmt.Println(r.Module, len(r.Steps))
	}
	fmt.Println(err)
	// Output:
	// users 4
	// invoices 1
	// <nil>
}

func ExampleDir() {
	acme, drop := newAcme()
	defer drop()
	folder, err := os.MkdirTemp("", "migrations")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.CopyFS(folder, userFiles); err != nil {
		log.Fatal(err)
	}

	m, err := migrations.New(acme, migrations.Dir(folder), quiet)
	if err != nil {
		log.Fatal(err)
	}
	pending, err := m.Pending(context.Background())
	fmt.Println(len(pending), err)
	// Output: 4 <nil>
}

func ExampleCreate() {
	acme, drop := newAcme()
	defer drop()
	folder, err := os.MkdirTemp("", "migrations")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()

	for _, name := range []string{"Create users", "add the users' names", "R__domains"} {
		path, err := migrations.Create(folder, name)
		fmt.Println(filepath.Base(path), err)
	}
	_, err = migrations.New(acme, migrations.Dir(folder)) // the files have no statement yet
	var draft *migrations.SourceError
	fmt.Println(errors.As(err, &draft))
	// Output:
	// 001_create_users.sql <nil>
	// 002_add_the_users_names.sql <nil>
	// R__domains.sql <nil>
	// true
}
