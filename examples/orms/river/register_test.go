package river_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	example "github.com/pgdbm/pgdbm/examples/orms/river"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are the modes, and how the worker is told where its table is.
var ways = []struct{ name, mode, posts string }{
	{"template", "schema_mode=template", "{{tables.posts}}"},
	{"bare name", "schema_mode=search_path", "posts"},
	{"template under a path", "schema_mode=search_path", "{{tables.posts}}"},
}

// The tenants share a queue, in a schema of its own.
func TestSharedQueue(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := tenants.New(t)
			d.Exec("CREATE SCHEMA jobs")
			db := d.Open(way.mode)
			migrate(t, t.Context(), db, "jobs")
			client := start(t, t.Context(), db, "jobs", way.posts)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { workWith(t, ctx, db, client, tenant) })
			t.Cleanup(func() {
				if n := d.Int("SELECT count(*) FROM jobs.river_job WHERE state = 'completed'"); n != 2*users {
					t.Errorf("%d jobs are completed, want %d", n, 2*users)
				}
			})
		})
	}
}

// Each tenant has a queue in its own schema, which River finds with the context's search_path.
func TestQueueOfTheTenant(t *testing.T) {
	t.Parallel()
	for _, posts := range []string{"posts", "{{tables.posts}}"} {
		t.Run(posts, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open("schema_mode=search_path")
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				migrate(t, ctx, db, "")
				workWith(t, ctx, db, start(t, ctx, db, "", posts), tenant)
				var jobs int
				count := "SELECT count(*) FROM {{tables.river_job}} WHERE args->>'tenant' = $1"
				if err := db.QueryRowContext(ctx, count, tenant).Scan(&jobs); err != nil || jobs != users {
					t.Errorf("the tenant has %d jobs (%v), want %d", jobs, err, users)
				}
			})
		})
	}
}

// A job that was inserted in a transaction is gone with it, and so is the user.
func TestRollback(t *testing.T) {
	t.Parallel()
	d := tenants.New(t)
	d.Exec("CREATE SCHEMA jobs")
	db := d.Open("schema_mode=template")
	migrate(t, t.Context(), db, "jobs")
	client := start(t, t.Context(), db, "jobs", "{{tables.posts}}")
	ctx := driver.WithSchema(t.Context(), tenants.Acme)
	if _, err := example.Register(ctx, db, client, "ann@"+tenants.Acme, "Ann"); err == nil {
		t.Error("the same user could register twice")
	}
	if _, err := example.Register(t.Context(), db, client, "cay", "Cay"); err == nil {
		t.Error("a user without a tenant could register")
	}
	if n := d.Int("SELECT count(*) FROM jobs.river_job"); n != 0 {
		t.Errorf("%d jobs were inserted", n)
	}
}

// migrate makes River's tables, and looks whether it finds them again.
func migrate(t *testing.T, ctx context.Context, db *sql.DB, schema string) {
	t.Helper()
	migrator, err := rivermigrate.New(riverdatabasesql.New(db), &rivermigrate.Config{Schema: schema, Logger: logger(t)})
	wantNil(t, err)
	for _, want := range []bool{true, false} { // the second time there is nothing to do
		result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		wantNil(t, err)
		if got := len(result.Versions) > 0; got != want {
			t.Errorf("migrated %d versions", len(result.Versions))
		}
	}
}

// start returns a client that works until the test ends.
func start(t *testing.T, ctx context.Context, db *sql.DB, schema, posts string) *river.Client[*sql.Tx] {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &example.Welcomer{DB: db, Posts: posts})
	client, err := river.NewClient(riverdatabasesql.New(db), &river.Config{
		Schema:            schema,
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		FetchCooldown:     time.Millisecond,
		FetchPollInterval: 5 * time.Millisecond, // this driver of River's cannot listen
		Logger:            logger(t),
		TestOnly:          true,
	})
	wantNil(t, err)
	ctx = context.WithoutCancel(ctx) // it stops below, in order
	wantNil(t, client.Start(ctx))
	t.Cleanup(func() { wantNil(t, client.Stop(ctx)) })
	return client
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// users are how many of each tenant workWith registers.
const users = 3

// workWith registers users, waits for their jobs, and fails if a post is not where it belongs.
func workWith(t *testing.T, ctx context.Context, db *sql.DB, client *river.Client[*sql.Tx], tenant string) {
	t.Helper()
	events, cancel := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	defer cancel()
	var want []string
	for i := range users {
		name := fmt.Sprintf("Cay %d of %s", i, tenant)
		_, err := example.Register(ctx, db, client, fmt.Sprint(i, "@", tenant), name)
		wantNil(t, err)
		want = append(want, name)
	}
	limit, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for done := 0; done < users; {
		var event *river.Event
		select {
		case event = <-events:
		case <-limit.Done():
			t.Fatalf("%d of %d jobs are done", done, users)
		}
		var job example.Welcome
		wantNil(t, json.Unmarshal(event.Job.EncodedArgs, &job))
		if event.Kind == river.EventKindJobFailed {
			t.Fatalf("the job %v failed: %v", job, event.Job.Errors)
		}
		if job.Tenant == tenant { // the queue may be shared
			done++
		}
	}
	welcomed := "SELECT u.name FROM {{tables.users}} u JOIN {{tables.posts}} p ON p.user_id = u.id " +
		"WHERE p.title = 'Welcome' AND p.tenant = $1 ORDER BY u.id"
	got, err := schemadb.Collect[string](ctx, schemadb.New(db, ""), welcomed, tenant)
	wantNil(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("welcomed %q, want %q", got, want)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
