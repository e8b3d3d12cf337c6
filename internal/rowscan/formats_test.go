package rowscan_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// argsTracer keeps the arguments of the last query.
type argsTracer struct{ args []any }

func (a *argsTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	a.args = data.Args
	return ctx
}

func (*argsTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestResultFormats asks pgx's driver for its formats, which it passes as the first argument.
func TestResultFormats(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	tracer := new(argsTracer)
	config.Tracer = tracer
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if err := db.QueryRow("SELECT 1").Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	if len(tracer.args) == 0 || !reflect.DeepEqual(tracer.args[0], rowscan.ResultFormats()) {
		t.Errorf("pgx's driver asks for %v", tracer.args)
	}
}
