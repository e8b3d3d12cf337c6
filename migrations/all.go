package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgdbm/pgdbm/internal/template"
	"github.com/pgdbm/pgdbm/schemadb"
)

// ApplyAll applies the files to each of the schemas, several at once, on one pool: what [New] and [Migrator.Apply] would
// do one by one. A schema that fails does not stop the others. Names that come twice count once.
//
// To find out which schemas have nothing to do, it asks once for a thousand schemas, or once for all with [SharedHistory].
// When ctx ends, as with signal.NotifyContext, what is in flight is finished or rolled back, and no other schema begins; to
// run it again does the rest.
//
// The result is never nil. The error is an *[AllError] if a schema has failed or was not reached, or says why nothing was
// begun: see [New].
func ApplyAll[DB *sql.DB | *schemadb.DB](ctx context.Context, db DB, files fs.FS, schemas iter.Seq[string], opts ...Option) (*AllResult, error) {
	a := &all{result: &AllResult{}, begun: time.Now(), lane: make(chan struct{}, 1)}
	defer func() { a.result.Duration = time.Since(a.begun) }()
	if err := a.open(any(db), files, schemas, opts); err != nil {
		return a.result, err
	}
	if err := a.run(ctx, a.targets(schemas)); err != nil {
		return a.result, err
	}
	return a.result, a.result.err(a.cause)
}

// open takes the arguments of a run over many schemas.
func (a *all) open(db any, files fs.FS, schemas iter.Seq[string], opts []Option) (err error) {
	switch db := db.(type) {
	case *sql.DB:
		if db != nil {
			a.db = schemadb.New(db, "")
		}
	case *schemadb.DB:
		a.db = db
	}
	if a.db == nil {
		return errNilDB
	}
	if a.options, err = newOptions(opts); err != nil {
		return err
	}
	if a.source, err = readSource(files, &a.options); err != nil {
		return err
	}
	switch {
	case a.options.dependsOn != nil:
		return errDependsOn
	case schemas == nil:
		return errNoSchemas
	}
	return nil
}

var (
	errDependsOn = errors.New("pgdbm: migrations: the option DependsOn is for ApplyModules; call ApplyAll for each module, " +
		"those that others depend on first")
	errNoSchemas = errors.New("pgdbm: migrations: the iterator of schemas is nil; pass slices.Values of their names")
)

// all is a run over many schemas.
type all struct {
	options options
	db      *schemadb.DB
	source  *source
	begun   time.Time
	total   int
	workers []*worker
	lane    chan struct{} // see run
	refused error         // why the run ends after its canaries, or nil
	cause   error         // why the run has ended early, or nil

	panicked atomic.Pointer[any] // what a function or a hook has panicked with, or nil
	exited   atomic.Bool         // a function or a hook has called runtime.Goexit

	mu     sync.Mutex // guards result, and the calls of progress
	result *AllResult
}

// warn names the files that do the same in every schema: without a template their names go to the search_path, unless
// the driver sets that.
func (a *all) warn(ctx context.Context, s *session, t target) {
	for _, m := range a.source.migrations {
		if m.up != nil && !m.up.HasTemplates() {
			if path, err := s.enter(ctx, t); path != "" || err != nil { // which each schema will say
				return
			}
			a.options.log.Warn("pgdbm: a file of ApplyAll has no template, so it runs once for each schema and does the same each time: "+
				"names without a schema are looked up in the search_path of the connection", slog.String("file", m.File))
		}
	}
}

// targets returns what to migrate. Names that no schema can have have failed.
func (a *all) targets(schemas iter.Seq[string]) []target {
	var targets, invalid []target
	seen := map[string]bool{}
	for _, name := range a.options.inOrder(schemas) {
		if seen[name] || a.options.only != nil && !a.options.only[name] {
			continue
		}
		seen[name] = true
		t := target{name: name, schema: name, module: a.options.module, shared: a.options.sharedSchema, flyway: a.source.flyway}
		if t.module == "" {
			t.module = name
		}
		if template.CheckSchema(name) == nil {
			targets = append(targets, t)
		} else {
			invalid = append(invalid, t)
		}
	}
	a.total = len(seen)
	for _, t := range invalid {
		a.note(&Result{Schema: t.schema, Module: t.module}, template.CheckSchema(t.schema))
	}
	return targets
}

// run looks at the targets, and migrates those that are not up to date. Its error says why it could not begin.
func (a *all) run(ctx context.Context, targets []target) error {
	if len(targets) == 0 {
		return nil
	}
	sessions, err := borrow(ctx, a.db.Pool(), 2, 0, a.options.waitLimit)
	if err != nil {
		a.notReached(targets)
		return err
	}
	a.warn(ctx, sessions[1], targets[0])
	first := &worker{all: a, session: sessions[1]}
	for i := range targets {
		targets[i].pooled, targets[i].citus = first.session.pooled, first.session.citus
	}
	if a.options.module == "" {
		first.holder = sessions[0] // each schema is a module, with a lock of its own
	} else {
		held, hold, err := holdModule(ctx, &a.options, sessions[0], targets[0])
		if err != nil {
			closeAll(sessions)
			a.notReached(targets)
			return err
		}
		defer hold.release()
		ctx = held
		if a.parallel() == 1 {
			first.hold = hold
		}
	}
	a.workers = []*worker{first}
	for len(a.workers) < a.parallel() {
		a.workers = append(a.workers, &worker{all: a, session: &session{}})
	}
	defer func() {
		for _, w := range a.workers {
			w.close()
		}
	}()
	a.migrate(ctx, targets, a.look(ctx, targets))
	a.cause = cmp.Or(a.refused, context.Cause(ctx)) // also that the hold is lost
	return nil
}

// parallel is how many schemas can be migrated at once with the connections of the pool.
func (a *all) parallel() int {
	most := a.db.Stats().MaxOpenConnections
	if most == 0 {
		return a.options.workers
	}
	if a.source.hasNoTransaction() {
		most-- // With one to spare somebody always gets the second one that he needs.
	}
	if a.options.module == "" {
		most /= 2
	} else {
		most--
	}
	return max(1, min(a.options.workers, most))
}

// hasNoTransaction reports whether some migration runs without a transaction.
func (s *source) hasNoTransaction() bool {
	return slices.ContainsFunc(s.migrations, func(m *migration) bool { return m.NoTransaction })
}

// each calls fn with the numbers up to n, in the workers.
func (a *all) each(n int, fn func(w *worker, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, w := range a.workers[:min(n, len(a.workers))] {
		wg.Go(func() {
			defer w.close() // the others may need its connections
			ended := false
			defer func() {
				if p := recover(); p != nil {
					a.panicked.CompareAndSwap(nil, &p)
				} else if !ended {
					a.exited.Store(true)
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(w, i)
			}
			ended = true
		})
	}
	wg.Wait()
	if a.exited.Load() {
		runtime.Goexit() // as testing.T.FailNow in a function does, which ends its test only in the test's goroutine
	}
	if p := a.panicked.Load(); p != nil {
		panic(*p) // a function or hook of the caller's has, and he can recover it only in his own goroutine
	}
}

// chunkSize is for how many schemas one question asks what they have. With a shared history it reads one table.
func (a *all) chunkSize() int {
	if a.options.sharedSchema != "" {
		return 50 * a.options.chunkSize
	}
	return a.options.chunkSize
}

// look finds out what is known about each target. Where that fails, its worker finds out what is wrong.
func (a *all) look(ctx context.Context, targets []target) []glance {
	found := make([]glance, len(targets))
	chunks := slices.Collect(slices.Chunk(targets, a.chunkSize()))
	a.each(len(chunks), func(w *worker, i int) {
		some, err := w.lookAll(ctx, chunks[i])
		if err == nil {
			copy(found[i*a.chunkSize():], some)
		}
		w.used(ctx, len(chunks[i]))
	})
	return found
}

// migrate migrates the targets that are not up to date.
func (a *all) migrate(ctx context.Context, targets []target, found []glance) {
	var rest []int
	for i, t := range targets {
		if found[i].upToDate {
			a.note(&Result{Schema: t.schema, Module: t.module}, nil)
		} else {
			rest = append(rest, i)
		}
	}
	some := func(rest []int) {
		a.each(len(rest), func(w *worker, n int) {
			i := rest[n]
			if a.stopped(ctx) {
				a.notReached(targets[i : i+1])
				return
			}
			w.migrate(ctx, targets[i], found[i].state)
			w.used(ctx, usesOfMigration)
		})
	}
	if n := min(a.options.canaries, len(rest)); n > 0 {
		some(rest[:n])
		rest = rest[n:]
		a.refused = a.options.confirm(ctx, a.soFar())
	}
	some(rest)
}

// stopped reports whether no other schema may begin.
func (a *all) stopped(ctx context.Context) bool {
	if ctx.Err() != nil || a.panicked.Load() != nil || a.exited.Load() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused != nil || a.options.stopOnError && len(a.result.Failed) > 0
}

func (a *all) notReached(targets []target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range targets {
		a.result.NotReached = append(a.result.NotReached, t.schema)
	}
}

// note adds what has become of a schema to the result.
func (a *all) note(result *Result, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.result
	switch {
	case err != nil:
		r.Failed = append(r.Failed, Failure{Schema: result.Schema, Err: err, Done: result.Steps})
	case len(result.Steps) > 0:
		r.Applied = append(r.Applied, result)
	default:
		r.UpToDate = append(r.UpToDate, result.Schema)
	}
	a.log(result, err)
	if a.options.progress != nil {
		a.options.progress(a.report(result, err))
	}
}

// log writes one event for a schema. Those of its migrations have the level Debug, and so has it if there was nothing to do.
func (a *all) log(result *Result, err error) {
	attrs := []slog.Attr{slog.String("schema", result.Schema), slog.String("module", result.Module),
		slog.Int("migrations", len(result.Steps)), slog.Duration("took", result.Duration)}
	level, event := slog.LevelDebug, "pgdbm: schema is up to date"
	switch {
	case err != nil:
		level, event, attrs = slog.LevelError, "pgdbm: a schema has failed", append(attrs, slog.Any("error", err))
	case len(result.Steps) > 0:
		level, event = slog.LevelInfo, "pgdbm: schema migrated"
	}
	a.options.log.LogAttrs(context.Background(), level, event, attrs...)
}

func (a *all) report(result *Result, err error) Report {
	r := Report{Result: result, Err: err, Applied: len(a.result.Applied), UpToDate: len(a.result.UpToDate),
		Failed: len(a.result.Failed), Total: a.total}
	seen := r.Applied + r.UpToDate + r.Failed
	if elapsed := time.Since(a.begun); elapsed > 0 {
		r.PerSecond = float64(seen) / elapsed.Seconds()
		r.Left = time.Duration(float64(elapsed) / float64(seen) * float64(a.total-seen))
	}
	return r
}
