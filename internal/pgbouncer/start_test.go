package pgbouncer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// recorder is a test that may fail without failing its parent.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   bool
	log      strings.Builder
}

func (r *recorder) Helper()                           {}
func (r *recorder) Failed() bool                      { return r.failed }
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(format string, args ...any)   { fmt.Fprintf(&r.log, format+"\n", args...) }
func (r *recorder) Errorf(format string, args ...any) { r.failed = true; r.Logf(format, args...) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

// run runs test to its end.
func (r *recorder) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, cleanup := range r.cleanups {
				cleanup()
			}
		}()
		test()
	}()
	<-done
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, test := range []struct {
		name, dsn, setting string
		want               string
	}{
		{"unknown setting", dsn, "no_such_setting=1", "no_such_setting"}, // as PgBouncer's output says
		{"wrong value", dsn, "pool_mode=nonsense", "nonsense"},
		{"no value", dsn, "pool_mode", `the setting "pool_mode" is not of the form name=value`},
		{"no name", dsn, " =1", "not of the form name=value"},
		{"line break", dsn, "pool_mode=session\nuser=root", "line break"},
		{"wrong DSN", "postgres://u:secret@host:port/", "pool_mode=session", "not a valid connection string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			r.run(func() {
				pgbouncer.Start(r, test.dsn, test.setting)
				t.Error("Start has returned")
			})
			if got := r.log.String(); !r.failed || !strings.Contains(got, test.want) || strings.Contains(got, "secret") {
				t.Errorf("failed: %t, log: %s", r.failed, got)
			}
		})
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	program, err := pgbouncer.FindProgram([]string{"", ".", "/nowhere"})
	if err == nil {
		t.Fatalf("found %s", program)
	}
	if !strings.Contains(err.Error(), "apt install pgbouncer") {
		t.Errorf("error = %v", err)
	}
}

func TestOutputIsShownWhenTheTestFails(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, fails := range []bool{true, false} {
		r := &recorder{TB: t}
		r.run(func() {
			pgbouncer.Start(r, dsn)
			r.failed = fails
		})
		if got := r.log.String(); strings.Contains(got, "process up") != fails {
			t.Errorf("failed: %t, log: %s", fails, got)
		}
	}
}
