package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/template"
)

// Option changes what [New] and [ApplyAll] do. Options that contradict each other, or that make no sense, are errors of
// those two.
type Option func(*options) error

type options struct {
	module    string
	dependsOn []string
	functions []goMigration
	folders   bool

	log    *slog.Logger
	before func(context.Context, Step) error
	after  func(context.Context, Step, error)

	allowChanged, allowRemoved, allowOutOfOrder bool

	retryFunctions   bool
	lockTimeout      time.Duration
	lockRetries      int
	statementTimeout time.Duration
	waitLimit        time.Duration

	sharedSchema string

	forAll      string // the name of an option that only ApplyAll takes
	workers     int
	progress    func(Report)
	stopOnError bool
	canaries    int // how many schemas come first
	confirm     func(context.Context, *AllResult) error
	only        map[string]bool // nil for all
	order       func(a, b string) int

	chunkSize, recycleAfter int // constants, but for tests
}

// The defaults of the options.
const (
	defaultWaitLimit = 10 * time.Minute
	defaultWorkers   = 4
)

const (
	// defaultChunkSize is for how many schemas ApplyAll asks at once whether they are up to date.
	defaultChunkSize = 1000
	// defaultRecycleAfter is after how many schemas ApplyAll gives a connection up: the server's process remembers about
	// 35 KB for each, for as long as it lives.
	defaultRecycleAfter = 200
)

func newOptions(opts []Option) (options, error) {
	o := options{log: slog.Default(), waitLimit: defaultWaitLimit, workers: defaultWorkers,
		chunkSize: defaultChunkSize, recycleAfter: defaultRecycleAfter}
	for _, opt := range opts {
		if opt == nil {
			return o, errors.New("pgdbm: migrations: an Option is nil")
		}
		if err := opt(&o); err != nil {
			return o, fmt.Errorf("pgdbm: migrations: %w", err)
		}
	}
	return o, nil
}

// maxModule is what the history's column can hold, in characters.
const maxModule = 100

// Module names the module whose migrations these are: the name of the library or of the part of a program, 1 to 100
// characters. Modules have separate histories, also in one schema. The default is the name of the schema, and "default"
// where there is none.
func Module(name string) Option {
	return func(o *options) error {
		switch {
		case name == "" || utf8.RuneCountInString(name) > maxModule:
			return fmt.Errorf("Module(%q): a module's name has 1 to %d characters", name, maxModule)
		case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
			return fmt.Errorf("Module(%q): the name has a NUL or is not UTF-8", name)
		}
		o.module = name
		return nil
	}
}

// DependsOn says which modules [ApplyModules] has to migrate before this one. The default is none. [ApplyAll] does not take
// it.
func DependsOn(modules ...string) Option {
	return func(o *options) error {
		o.dependsOn = append(o.dependsOn, modules...)
		return nil
	}
}

// Go registers a migration that is written in Go. It takes its place among the files by its version; name is for the
// history, which lists it as 007_name.go. Up, and down, which may be nil, run in a transaction of their own, which
// commits together with the history's row. They must not keep the Tx.
func Go(version int64, name string, up, down Func) Option {
	return func(o *options) error {
		o.functions = append(o.functions, goMigration{version: version, name: name, up: up, down: down})
		return nil
	}
}

// Folders reads migrations that each have a folder of their own, as diesel and Prisma write them: 0001_create_users/up.sql or
// 0001_create_users/migration.sql, with the undo in down.sql beside it. The history lists the file with its folder. By default the
// folders inside that of the migrations are not read.
func Folders() Option {
	return func(o *options) error {
		o.folders = true
		return nil
	}
}

// Logger is where events go: each migration that has run (level Info), and whom a run waits for (level Warn). Under
// [ApplyAll] there is one event for each schema: Info if something was done, Error if it has failed, and Debug if there was
// nothing to do; those of the migrations are Debug. The default is slog.Default().
func Logger(l *slog.Logger) Option {
	return func(o *options) error {
		if l == nil {
			return errors.New("Logger(nil): to log nothing, use slog.New(slog.DiscardHandler)")
		}
		o.log = l
		return nil
	}
}

// Before is called before each migration, outside of its transaction. If it returns an error, the migration does not run
// and the run ends with that error. Under ApplyAll it is called by several goroutines at once.
//
// With hooks each migration takes a round trip of its own; without, many share one. A hook that uses the pool needs a
// connection more than the run.
func Before(fn func(context.Context, Step) error) Option {
	return func(o *options) error {
		o.before = fn
		return nil
	}
}

// After is called after each migration, with its error or nil, when its transaction has ended. See [Before].
func After(fn func(context.Context, Step, error)) Option {
	return func(o *options) error {
		o.after = fn
		return nil
	}
}

// AllowChanged lets a run go on although the text of an applied file has changed, which is an error by default. The
// history keeps the old checksum.
func AllowChanged() Option {
	return func(o *options) error {
		o.allowChanged = true
		return nil
	}
}

// AllowRemoved lets a run go on although a file that was applied is no longer there, which is an error by default: as
// when an older version of a program starts after a newer one.
func AllowRemoved() Option {
	return func(o *options) error {
		o.allowRemoved = true
		return nil
	}
}

// AllowOutOfOrder lets a run apply a file whose version is lower than that of one which is applied already, as happens
// when branches are merged. By default it is an error.
func AllowOutOfOrder() Option {
	return func(o *options) error {
		o.allowOutOfOrder = true
		return nil
	}
}

// LockTimeout limits how long a statement of a migration waits for a lock: a long wait also stops everybody who queues
// up behind it. A migration that runs into the limit is rolled back, and tried again up to retries times, after pauses
// that grow from 100 ms to 10 s. The default, and d = 0, leave lock_timeout as the session has it, which is 5 s and a single
// try for a pool of schemadb.Open. Migrations without a transaction wait without a limit, unless they SET one.
func LockTimeout(d time.Duration, retries int) Option {
	return func(o *options) error {
		if d < 0 || d > 0 && d < time.Millisecond || retries < 0 {
			return fmt.Errorf("LockTimeout(%v, %d): the limit is at least 1 ms, or 0 for none; retries are not negative", d, retries)
		}
		o.lockTimeout, o.lockRetries = d, retries
		return nil
	}
}

// RetryFunctions lets a migration that is written in Go be called again, like a file, after an error that others have caused: a deadlock, a
// serialization failure, or another transaction that has changed the same row of a catalog. By default it is not, because it may have
// done something outside of its transaction. See the package's documentation, "Errors".
func RetryFunctions() Option {
	return func(o *options) error {
		o.retryFunctions = true
		return nil
	}
}

// StatementTimeout limits each statement of a migration. The default is 0: no limit, whatever the pool's statement_timeout
// is, because migrations may take long.
func StatementTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d < 0 || d > 0 && d < time.Millisecond {
			return fmt.Errorf("StatementTimeout(%v): the limit is at least 1 ms, or 0 for none", d)
		}
		o.statementTimeout = d
		return nil
	}
}

// WaitLimit is how long a run waits for another one that migrates the same module in the same schema, and for connections
// of the pool; the time starts anew when the other one gets a migration done. The default is 10 minutes; 0 does not wait
// at all. A run that gives up returns a *[WaitError].
func WaitLimit(d time.Duration) Option {
	return func(o *options) error {
		if d < 0 {
			return fmt.Errorf("WaitLimit(%v): it is negative; 0 does not wait, the default is %v", d, defaultWaitLimit)
		}
		o.waitLimit = d
		return nil
	}
}

// SharedHistory keeps the histories of all schemas in one table, schema_migrations_shared in the given schema, instead of
// a table schema_migrations in each. To find out that 5,000 schemas are up to date then takes one query. What a schema
// already has in a table of its own is moved over by its next run. The Python library does not read this table. The
// option must be the same for everybody who migrates these schemas.
//
// The rows of a schema that was dropped do not count, and the next run creates it anew. Whoever creates it himself before
// that has to delete its rows.
func SharedHistory(schema string) Option {
	return func(o *options) error {
		if err := template.CheckSchema(schema); err != nil {
			return fmt.Errorf("SharedHistory: %w", err)
		}
		o.sharedSchema = schema
		return nil
	}
}

// Parallel is how many schemas [ApplyAll] migrates at once, 4 by default; fewer if the pool has not so many connections.
// With the option [Module] each takes a connection of the pool, and one more is for the run; without, each takes two. While
// a migration without a transaction runs, it takes one more. Behind PgBouncer, whose pool a run cannot see,
// default_pool_size has to be so large.
func Parallel(workers int) Option {
	return func(o *options) error {
		if workers < 1 {
			return fmt.Errorf("Parallel(%d): there is at least one worker", workers)
		}
		o.forAll, o.workers = "Parallel", workers
		return nil
	}
}

// Progress is called by [ApplyAll] after each schema, by one goroutine at a time.
func Progress(fn func(Report)) Option {
	return func(o *options) error {
		o.forAll, o.progress = "Progress", fn
		return nil
	}
}

// StopOnError makes [ApplyAll] begin no other schema after one has failed. By default it goes on with the others.
func StopOnError() Option {
	return func(o *options) error {
		o.forAll, o.stopOnError = "StopOnError", true
		return nil
	}
}
