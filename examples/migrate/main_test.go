package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(server.Run(m))
}

// output is what the documentation promises.
//
//go:embed testdata/output.txt
var output string

func TestOutput(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := run(t.Context(), &got, server.Database(t)); err != nil {
		t.Fatal(err)
	}
	if got.String() != output {
		t.Errorf("the output is not that of testdata/output.txt:\n%s", got.String())
	}
}

// TestTenantInTheWay has a tenant whose schema has a table of the module's already.
func TestTenantInTheWay(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	db, err := schemadb.Open(t.Context(), schemadb.Config{DSN: dsn, Schema: "tenant_07"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.MustExec("CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.invoices}} ()")
	var got bytes.Buffer
	err = forTenants(t.Context(), &got, dsn)
	var failed *migrations.MigrationError
	if !errors.As(err, &failed) || failed.Schema != "tenant_07" || failed.File != "migrations/002_create_invoices.sql" {
		t.Errorf("with a table in the way the error is %v", err)
	}
	if want := "20 tenants: 19 migrated, 0 up to date, 1 failed, 0 not reached\n"; !strings.HasPrefix(got.String(), want) {
		t.Errorf("with a table in the way the output is %s", got.String())
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, io.Discard, server.Database(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run returned %v", err)
	}
}

// TestReadme looks in the README for the lines of package billing that migrate, so that they compile and run.
func TestReadme(t *testing.T) {
	t.Parallel()
	source := read(t, "billing/billing.go")
	begin, end := strings.Index(source, "//go:embed"), strings.Index(source, "// Billing is")
	if begin < 0 || end < begin {
		t.Fatal("billing.go has not the lines that the README shows")
	}
	if shown := strings.TrimSuffix(source[begin:end], "\n"); !strings.Contains(read(t, "../../README.md"), "```go\n"+shown+"```\n") {
		t.Errorf("README.md does not have these lines of billing.go:\n%s", shown)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
