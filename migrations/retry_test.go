package migrations_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestTransientErrors has another session that makes a migration fail, and wants to see its SQLSTATE, and that the migration is run again.
func TestTransientErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setup, other, file string
		code               string
	}{
		"the same function is replaced": {
			setup: "CREATE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 0 $$",
			other: "CREATE OR REPLACE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$",
			file:  "CREATE OR REPLACE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", code: "XX000",
		},
		"the same function is new": {
			other: "CREATE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$",
			file:  "CREATE OR REPLACE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", code: "23505",
		},
		"the same extension": {
			other: "CREATE EXTENSION hstore SCHEMA public", file: "CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public", code: "23505",
		},
		"the same schema": {other: "CREATE SCHEMA common", file: "CREATE SCHEMA IF NOT EXISTS common", code: "23505"},
		"privileges": {
			setup: "CREATE TABLE public.common ()", other: "GRANT SELECT ON public.common TO public", file: "GRANT INSERT ON public.common TO public", code: "XX000",
		},
		"an isolation level": {
			setup: "CREATE TABLE public.n (n int); INSERT INTO public.n VALUES (1)", other: "UPDATE public.n SET n = 2",
			file: "-- pgdbm:isolation repeatable read\nUPDATE public.n SET n = n * 10", code: "40001",
		},
		"rows": {
			setup: "CREATE TABLE public.common ()", other: "GRANT SELECT ON public.common TO public",
			file: "CREATE TABLE {{tables.r}} (x int);\nCOPY {{tables.r}} FROM stdin;\n1\n\\.\nGRANT INSERT ON public.common TO public", code: "XX000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, log := newLab(t), &events{}
			other := l.connect()
			l.exec(other, test.setup)
			l.exec(other, "BEGIN; "+test.other)
			m := l.migrator(l.pool("pgx", 0), "app", files{"1_a.sql": test.file + ";\nCREATE TABLE {{tables.t}} ()"}.fs(), migrations.Logger(log.logger()))
			done := start(func() error {
				_, err := m.Apply(t.Context())
				return err
			})
			l.activity("application_name = 'runs' AND wait_event_type = 'Lock'")
			l.exec(other, "COMMIT")
			l.succeeds("Apply", done)
			if text := log.text(); !strings.Contains(text, "retry=1") || !strings.Contains(text, test.code) {
				t.Errorf("%s is wanted in the log: %s", test.code, text)
			}
			if l.count("app.t") != 0 {
				t.Error("the table has rows")
			}
		})
	}
}

// TestDeadlockOfAFile has a migration that locks what a session waits for, and then waits for that session. The server lets that one fail
// which looks first.
func TestDeadlockOfAFile(t *testing.T) {
	t.Parallel()
	l, log := newLab(t), &events{}
	other, gate := l.connect(), l.connect()
	l.exec(other, "CREATE TABLE public.a (); CREATE TABLE public.b ()")
	l.exec(gate, "SELECT pg_advisory_lock(7)")
	l.exec(other, "BEGIN; LOCK public.a")
	m := l.migrator(l.pool("pgx", 0), "app", files{"1_a.sql": "SET LOCAL deadlock_timeout = '1ms'; LOCK public.b; " +
		"SELECT pg_advisory_xact_lock(7); LOCK public.a; CREATE TABLE {{tables.t}} ()"}.fs(), migrations.Logger(log.logger()))
	done := beginApply(t.Context(), m)
	l.activity("application_name = 'runs' AND wait_event = 'advisory'")
	waits := start(func() error {
		_, err := other.Exec(t.Context(), "LOCK public.b")
		return err
	})
	l.activity("application_name <> 'runs' AND wait_event_type = 'Lock'")
	l.exec(gate, "SELECT pg_advisory_unlock(7)")
	l.succeeds("LOCK", waits)
	l.exec(other, "COMMIT")
	l.succeeds("Apply", done)
	if !strings.Contains(log.text(), "retry=1") {
		t.Errorf("the migration was not tried again: %s", log.text())
	}
}

// TestManySchemasTouchSharedObjects wants all schemas to be migrated in one call, whatever they have in common.
func TestManySchemasTouchSharedObjects(t *testing.T) {
	t.Parallel()
	schemas := make([]string, 40)
	for i := range schemas {
		schemas[i] = fmt.Sprintf("tenant_%02d", i)
	}
	const table = ";\nCREATE TABLE {{tables.t}} ();"
	for name, text := range map[string]string{
		"extension":  "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;\nCREATE TABLE {{tables.kv}} (v public.hstore)",
		"function":   "CREATE OR REPLACE FUNCTION public.tick() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;\nCREATE TABLE {{tables.k}} (n int DEFAULT public.tick())",
		"view":       "CREATE OR REPLACE VIEW public.v AS SELECT 1 AS one",
		"table":      "CREATE TABLE IF NOT EXISTS public.common (x int); GRANT SELECT ON public.common TO public; COMMENT ON TABLE public.common IS 'x'",
		"column":     "CREATE TABLE IF NOT EXISTS public.common (x int); ALTER TABLE public.common ADD COLUMN IF NOT EXISTS y int",
		"foreign":    "CREATE TABLE IF NOT EXISTS public.common (x int PRIMARY KEY); CREATE TABLE {{tables.r}} (x int REFERENCES public.common)",
		"drop":       "DROP FUNCTION IF EXISTS public.gone(); CREATE OR REPLACE FUNCTION public.gone() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
		"schema":     "CREATE SCHEMA IF NOT EXISTS common; CREATE SEQUENCE IF NOT EXISTS common.s; ALTER SEQUENCE common.s INCREMENT 2",
		"type in DO": "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'mood') THEN CREATE TYPE public.mood AS ENUM ('ok'); END IF; END $$",
		"database":   "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '8MB'); END $$",
		"trigger":    "CREATE TABLE IF NOT EXISTS public.common (x int); CREATE OR REPLACE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE OR REPLACE TRIGGER f BEFORE INSERT ON public.common FOR EACH ROW EXECUTE FUNCTION public.f()",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			f := files{"1_a.sql": text + table, "2_b.sql": "CREATE TABLE {{tables.u}} ()"}
			result, err := migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values(schemas), migrations.Module("app"), migrations.Parallel(8),
				migrations.Logger(slog.New(slog.DiscardHandler)))
			if err != nil || len(result.Applied) != len(schemas) {
				t.Errorf("%d of %d are migrated: %v", len(result.Applied), len(schemas), err)
			}
		})
	}
}

// TestFunctionsAreNotRunAgain unless they opt in: nobody knows what they have done besides.
func TestFunctionsAreNotRunAgain(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]migrations.Option{"as it is": nil, "opted in": {migrations.RetryFunctions()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			other, calls := l.connect(), 0
			l.exec(other, "CREATE TABLE public.common ()")
			l.exec(other, "BEGIN; GRANT SELECT ON public.common TO public")
			fn := migrations.Go(1, "grant", func(ctx context.Context, tx *schemadb.Tx) error {
				calls++
				_, err := tx.ExecContext(ctx, "GRANT INSERT ON public.common TO public")
				return err
			}, nil)
			m := l.migrator(l.pool("pgx", 0), "app", nil, append(opts, fn)...)
			done := start(func() error {
				_, err := m.Apply(t.Context())
				return err
			})
			l.activity("application_name = 'runs' AND wait_event_type = 'Lock'")
			l.exec(other, "COMMIT")
			if opts != nil {
				l.succeeds("Apply", done)
			} else {
				wantTexts(t, l.wait("Apply", done), "XX000")
			}
			if calls != 1+len(opts) {
				t.Errorf("the function was called %d times", calls)
			}
		})
	}
}
