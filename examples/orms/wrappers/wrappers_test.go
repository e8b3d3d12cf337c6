package wrappers_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/ngrok/sqlmw"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/examples/orms/wrappers"
)

func TestMain(m *testing.M) {
	wrappers.RegisterMiddleware("pgdbm with sqlmw", middleware{})
	wrappers.RegisterHooks("pgdbm with sqlhooks", hooks{})
	os.Exit(tenants.Run(m))
}

// seen is the SQL that a wrapper has seen in a test, whose context carries it.
type seen struct {
	mu  sync.Mutex
	sql []string
}

type seenKey struct{}

func see(ctx context.Context, query string) {
	if s, ok := ctx.Value(seenKey{}).(*seen); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sql = append(s.sql, query)
	}
}

func (s *seen) has(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.sql, query)
}

// tracer is one of pgx's.
type tracer struct{}

func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	see(ctx, data.SQL)
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// middleware is an interceptor of sqlmw.
type middleware struct{ sqlmw.NullInterceptor }

func (m middleware) ConnQueryContext(ctx context.Context, conn sqldriver.QueryerContext, query string, args []sqldriver.NamedValue) (
	context.Context, sqldriver.Rows, error) {
	see(ctx, query)
	return m.NullInterceptor.ConnQueryContext(ctx, conn, query, args)
}

// hooks are those of sqlhooks.
type hooks struct{}

func (hooks) Before(ctx context.Context, query string, _ ...any) (context.Context, error) {
	see(ctx, query)
	return ctx, nil
}

func (hooks) After(ctx context.Context, _ string, _ ...any) (context.Context, error) { return ctx, nil }

// ways are the wrappers. Sent says that they see the SQL as it is sent.
var ways = []struct {
	name string
	sent bool
	open func(t *testing.T, dsn string) (*sql.DB, error)
}{
	{"pgx's tracers", true, func(_ *testing.T, dsn string) (*sql.DB, error) { return wrappers.OpenTraced(dsn, tracer{}) }},
	{"sqlmw", false, func(_ *testing.T, dsn string) (*sql.DB, error) { return sql.Open("pgdbm with sqlmw", dsn) }},
	{"sqlhooks", false, func(_ *testing.T, dsn string) (*sql.DB, error) { return sql.Open("pgdbm with sqlhooks", dsn) }},
	{"otelsql", false, func(t *testing.T, dsn string) (*sql.DB, error) {
		recorder := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		t.Cleanup(func() { wantSpans(t, recorder) })
		return wrappers.OpenOTel(dsn, provider)
	}},
}

// wantSpans fails the test unless there is a span with the statement of each tenant, which have one text.
func wantSpans(t *testing.T, recorder *tracetest.SpanRecorder) {
	t.Helper()
	n := 0
	for _, span := range recorder.Ended() {
		for _, attribute := range span.Attributes() {
			if text := attribute.Value.AsString(); text == templated || text == bare {
				n++
			}
		}
	}
	if n < 2 {
		t.Errorf("%d spans have the statement, want one of each tenant", n)
	}
}

const (
	templated = "SELECT tenant FROM {{tables.users}} WHERE id = $1"
	bare      = "SELECT tenant FROM users WHERE id = $1"
)

// modes are the schema modes, with the names that they need.
var modes = []struct{ key, query string }{
	{"schema_mode=template", templated}, {"schema_mode=search_path", bare}, {"schema_mode=search_path", templated},
}

func onWrapped(t *testing.T, test func(t *testing.T, db *sql.DB, query string, sent bool)) {
	t.Helper()
	for _, way := range ways {
		for _, mode := range modes {
			t.Run(way.name+", "+mode.key+", "+mode.query, func(t *testing.T) {
				t.Parallel()
				d := tenants.New(t)
				db, err := way.open(t, d.DSN(mode.key))
				if err != nil {
					t.Fatal(err)
				}
				test(t, d.Closing(db), mode.query, way.sent)
			})
		}
	}
}

// Statements, those of transactions and prepared ones run in the schema of their context, and the wrapper sees them with that context.
func TestTenants(t *testing.T) {
	t.Parallel()
	onWrapped(t, func(t *testing.T, db *sql.DB, query string, sent bool) {
		stmt, err := db.PrepareContext(driver.WithSchema(t.Context(), tenants.Acme), query)
		wantNil(t, err)
		defer func() { wantNil(t, stmt.Close()) }()
		t.Run("each", func(t *testing.T) {
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				var s seen
				ctx = context.WithValue(ctx, seenKey{}, &s)
				wantTenant(t, tenant, db.QueryRowContext(ctx, query, 1))
				wantTenant(t, tenant, stmt.QueryRowContext(ctx, 1))
				tx, err := db.BeginTx(ctx, nil)
				wantNil(t, err)
				defer tx.Rollback()
				wantTenant(t, tenant, tx.QueryRowContext(t.Context(), query, 1))
				wantTenant(t, tenant, tx.StmtContext(t.Context(), stmt).QueryRowContext(t.Context(), 1))
				want := query
				if sent {
					want, err = driver.Expand(query, tenant)
					wantNil(t, err)
				}
				if len(s.sql) > 0 && !s.has(want) {
					t.Errorf("the wrapper has seen %q, want %q", s.sql, want)
				}
			})
		})
	})
}

// What a tenant leaves in the session, nobody else sees, though some wrappers hide that a connection must be closed.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	onWrapped(t, func(t *testing.T, db *sql.DB, query string, _ bool) {
		db.SetMaxOpenConns(1)
		acme, odd := driver.WithSchema(t.Context(), tenants.Acme), driver.WithSchema(t.Context(), tenants.Odd)
		for i := range 5 {
			_, err := db.ExecContext(acme, fmt.Sprintf("PREPARE kept AS SELECT %d; SET statement_timeout TO '1h'; CREATE TEMPORARY TABLE users ()", i))
			wantNil(t, err)
			wantTenant(t, tenants.Odd, db.QueryRowContext(odd, query, 1))
			var timeout string
			wantNil(t, db.QueryRowContext(odd, "SELECT current_setting('statement_timeout')").Scan(&timeout))
			if timeout != "0" {
				t.Errorf("statement_timeout is %s", timeout)
			}
		}
	})
}

// The driver's errors come through.
func TestErrors(t *testing.T) {
	t.Parallel()
	onWrapped(t, func(t *testing.T, db *sql.DB, query string, _ bool) {
		var schemaErr *driver.SchemaError
		if err := db.QueryRowContext(driver.WithSchema(t.Context(), ""), query, 1).Scan(new(string)); !errors.As(err, &schemaErr) {
			t.Errorf("%v, want a *driver.SchemaError", err)
		}
		if err := db.QueryRowContext(driver.WithSchema(t.Context(), "nobody"), query, 1).Scan(new(string)); err == nil {
			t.Error("a schema that does not exist is no error")
		}
		wantNil(t, db.PingContext(t.Context()))
	})
}

func wantTenant(t *testing.T, want string, row *sql.Row) {
	t.Helper()
	var got string
	if err := row.Scan(&got); err != nil || got != want {
		t.Errorf("read a row of %q, %v; want %q", got, err, want)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
