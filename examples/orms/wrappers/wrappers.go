// Package wrappers shows how to see the statements of a database on pgdbm: with pgx's tracers, which is the best way, and with
// libraries that put themselves around a database/sql driver.
//
//	                 sees                         around
//	pgx's tracers    the SQL as it is sent        nothing: they are a part of pgx
//	otelsql          the SQL as it was written    a driver.Connector: all options of pgdbm work
//	sqlmw, sqlhooks  the SQL as it was written    a driver.Driver: options of pgdbm have to stand in the DSN
//
// Whatever is around the driver, a statement runs in its tenant's schema, because that comes with its context.
package wrappers

import (
	"database/sql"

	"github.com/XSAM/otelsql"
	"github.com/jackc/pgx/v5"
	"github.com/ngrok/sqlmw"
	"github.com/qustavo/sqlhooks/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/pgdbm/pgdbm/driver"
)

// OpenTraced opens a database whose statements a tracer of pgx sees as they are sent, with the contexts of those who send them.
func OpenTraced(dsn string, tracer pgx.QueryTracer) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.Tracer = tracer
	return driver.OpenDB(*config), nil
}

// OpenOTel opens a database whose statements become OpenTelemetry's spans.
func OpenOTel(dsn string, provider trace.TracerProvider) (*sql.DB, error) {
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return otelsql.OpenDB(connector, otelsql.WithTracerProvider(provider)), nil
}

// RegisterMiddleware registers a driver under a name for sql.Open, which calls an interceptor of sqlmw.
func RegisterMiddleware(name string, interceptor sqlmw.Interceptor) {
	sql.Register(name, sqlmw.Driver(&driver.Driver{}, interceptor))
}

// RegisterHooks registers a driver under a name for sql.Open, which calls hooks of sqlhooks.
func RegisterHooks(name string, hooks sqlhooks.Hooks) {
	sql.Register(name, sqlhooks.Wrap(&driver.Driver{}, hooks))
}
