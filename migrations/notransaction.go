package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/internal/migfile"
	"github.com/pgdbm/pgdbm/internal/sqllex"

	"github.com/jackc/pgx/v5/pgconn"
)

// withoutTransaction runs a migration whose statements each run on their own. Another connection holds the target's key
// all the while.
func (r *run) withoutTransaction(ctx context.Context, st *state, j job) error {
	holder, release, err := r.holdTarget(ctx)
	if err != nil {
		return err
	}
	f := &fileRun{run: r, holder: holder, job: j, begun: time.Now()}
	defer func() {
		release()
		r.session.spoiled = r.session.spoiled || f.limited || j.changesSession()
	}()
	var now *state
	err = f.givingWay(ctx, func() (err error) {
		if err = r.connect(ctx); err == nil {
			now, err = look(ctx, r.session, r.target)
		}
		return err
	})
	if hasCode(err, lockNotAvailable) {
		return &busyError{err}
	}
	if err != nil {
		return err
	}
	if now.rows != st.rows || now.table != st.table {
		return &busyError{}
	}
	f.role = r.session.role
	if row := now.find(j.m.File); row != nil {
		f.checksum = row.checksum
	}
	if f.texts, err = j.script().Expand(r.target.name); err != nil {
		return r.failed(j, err)
	}
	if err := f.do(ctx, st); err != nil {
		return err
	}
	r.done(ctx, st, j, time.Since(f.begun).Truncate(time.Millisecond))
	return nil
}

// fileRun is a migration without a transaction while it runs. Before each statement it notes in the progress table how
// many are done, and that one is running; so the next run knows where to go on, whatever happens to this one.
type fileRun struct {
	*run
	holder *session
	job    job
	texts  []string
	begun  time.Time

	role     string     // of the session
	checksum string     // of an undo: what the history has for the file
	limited  bool       // the session's timeouts are changed
	resumed  bool       // an earlier run has begun the file
	before   []leftover // what was there before a CREATE INDEX that leaves the name to the server
	pending  bool       // and has ended while the next statement was running, which is the same now
}

func (f *fileRun) do(ctx context.Context, st *state) error {
	if err := f.givingWay(ctx, func() error { return f.prepare(ctx, st) }); err != nil {
		return err
	}
	if err := f.setLimits(ctx); err != nil {
		return f.failed(f.job, err)
	}
	first, err := f.resume(ctx)
	if err != nil {
		return err
	}
	for i := first; i < len(f.texts); i++ {
		if err := f.begin(ctx, i); err != nil {
			return err
		}
		err := f.statement(ctx, i, f.resumed && i == first)
		if err != nil && f.pending && i == first && isDone(f.texts[i], err) {
			f.log.LogAttrs(ctx, slog.LevelWarn, "pgdbm: a statement was running when the last run ended, and it was done: going on",
				append(f.attrs(), slog.String("file", f.job.m.File), slog.Int("statement", i+1), slog.Any("error", err))...)
			err = nil
		}
		if errors.As(err, new(*busyError)) { // it has given way
			return err
		}
		if err != nil {
			failed := f.stopped(i, offset(err, f.texts[i]), err)
			if left := f.tidy(ctx, i, err); left != nil {
				failed.note(left.Error())
			}
			return failed
		}
	}
	return f.finish(ctx)
}

// begin notes that statement i is running, and with it that those before it are done; that also when ctx has ended.
func (f *fileRun) begin(ctx context.Context, i int) error {
	err := context.Cause(ctx)
	if err == nil {
		err = f.session.checkEncoding(ctx)
	}
	if err == nil {
		err = f.givingWay(ctx, func() error { return f.note(ctx, i, f.texts[i]) })
	}
	if err == nil || errors.As(err, new(*busyError)) {
		return err
	}
	failed := f.stopped(i, -1, err)
	if err := f.noteNow(ctx, i); err != nil && i > 0 {
		failed.Note = fmt.Sprintf("its first %d statements are done, but that cannot be noted (%v): the next run begins with number %d again", i, err, i)
	}
	return failed
}

// givingWay calls fn, whose statements are short. If a pooler does not serve them soon, it gives the lock back, for which PgBouncer's PAUSE
// may be waiting: the statements wait for the end of that. Then the run has to begin anew.
func (f *fileRun) givingWay(ctx context.Context, fn func() error) error {
	if !f.target.pooled {
		return fn()
	}
	gone := make(chan struct{})
	timer := time.AfterFunc(time.Second, func() {
		defer close(gone)
		f.holder.rollback(ctx)
	})
	err := fn()
	if timer.Stop() {
		return err
	}
	if <-gone; err == nil {
		err = &busyError{}
	}
	return err
}

// setLimits sets the timeouts of the session, because a pool's are for queries: an index takes longer to build, and waits for
// every older transaction. It changes nothing where it need not, as behind PgBouncer, where others would meet it.
func (f *fileRun) setLimits(ctx context.Context) error {
	var statements string
	if f.statementTimeout > 0 || !f.session.unlimited {
		statements = fmt.Sprintf("SET statement_timeout = %d;", f.statementTimeout.Milliseconds())
	}
	if !f.session.patient {
		statements += "SET lock_timeout = 0;"
	}
	if f.session.timed {
		statements += "SET transaction_timeout = 0;"
	}
	if statements == "" {
		return nil
	}
	f.limited = true
	_, err := f.session.send(ctx, statements)
	return err
}

// tidy notes that statement i has failed, and removes what it has left; the error says what it could not remove. If the connection is gone,
// so that nobody knows, the next run takes the statement as running, which is safe.
func (f *fileRun) tidy(ctx context.Context, i int, err error) error {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || f.noteNow(ctx, i) != nil || f.session.spoiled && ctx.Err() == nil || hasCode(err, duplicateTable) {
		return nil
	}
	c := concurrentOf(f.texts[i])
	if c == nil {
		return nil
	}
	ctx, cancel := settled(ctx)
	defer cancel()
	if c.completes {
		left, err := f.left(ctx, c)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("it has left %s, which the next run completes", left[0].what)
		}
		return err
	}
	return f.clear(ctx, c, append([]leftover{}, f.before...))
}

// noteNow notes that the first done statements are done and that none is running, also when ctx has ended.
func (f *fileRun) noteNow(ctx context.Context, done int) error {
	return f.settle(ctx, func(ctx context.Context) error { return f.note(ctx, done, "") })
}

// settle calls fn, which writes down what has happened, also when ctx has ended. Then the request to cancel the last statement
// may come so late that it hits one of fn's, so it is called again. A pooler may be paused meanwhile.
func (f *fileRun) settle(ctx context.Context, fn func(context.Context) error) error {
	own, cancel := settled(ctx)
	if f.target.pooled && ctx.Err() == nil {
		cancel()
		own, cancel = context.WithTimeout(ctx, max(f.waitLimit, cancelLimit))
	}
	defer cancel()
	for {
		err := f.givingWay(own, func() error { return fn(own) })
		if errors.As(err, new(*busyError)) {
			return nil // it is written down
		}
		if !hasCode(err, queryCanceled) || own.Err() != nil {
			return err
		}
	}
}

// settled returns a context for what has to be written down although the run is to end.
func settled(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
}

// stopped is the error for statement i.
func (f *fileRun) stopped(i, offset int, err error) *MigrationError {
	failed := f.failed(f.job, err)
	failed.locate(f.job.script(), i, f.target, offset)
	switch i {
	case 0:
		failed.note("none of its statements is done; the next run begins with this one")
	case 1:
		failed.note("its first statement is done and stays; the next run goes on with this one, number 2")
	default:
		failed.note(fmt.Sprintf("its first %d statements are done and stay; the next run goes on with this one, number %d", i, i+1))
	}
	return failed
}

// prepare creates what is missing: the schema, the history, the progress table.
func (f *fileRun) prepare(ctx context.Context, st *state) error {
	m := f.newMessage()
	g := newGuard(f.target, st)
	g.held = true
	m.open(job{kind: recordJob}, g)
	m.check(g)
	if f.target.shared == "" { // else look has seen it
		m.add(guards, f.target.createProgress())
	}
	m.commit(true)
	a, err := f.exchange(ctx, m)
	if err != nil {
		f.session.rollback(ctx)
		return f.sendError(m, len(a.results), []job{f.job}, err)
	}
	st.schema, st.table = true, true
	return nil
}

// row is the condition for the file's row in the progress table.
func (f *fileRun) row() string { return f.target.progressRow(f.job.m.File) }

// note writes that the first done statements are done, and that the one with the text running is, unless that is "".
func (f *fileRun) note(ctx context.Context, done int, running string) error {
	now := "NULL"
	if running != "" {
		now = literal(migfile.Checksum(running))
	}
	statements := []string{fmt.Sprintf("INSERT INTO %s AS p (schema_name, module_name, filename, statements_done, checksum, "+
		"running) VALUES (%s, %s, %s, %d, %s, %s) ON CONFLICT (schema_name, module_name, filename) DO UPDATE SET "+
		"statements_done = excluded.statements_done, checksum = excluded.checksum, running = excluded.running",
		f.target.progress(), literal(f.target.schema), literal(f.target.module), literal(f.job.m.File), done,
		literal(f.job.script().Prefix(done)), now)}
	if f.job.kind == undoJob {
		now := f.checksum
		if done > 0 || running != "" {
			now = undoBegun
		}
		statements = append(statements, f.target.mark(f.job.m.File, now))
	}
	return f.record(ctx, statements)
}

// record runs statements that write down what has happened, in a transaction and as the role that the session had before the
// file: it may have set another one, or default_transaction_read_only.
func (f *fileRun) record(ctx context.Context, statements []string) error {
	begin := []string{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"}
	if f.job.changesSession() {
		if sqllex.HasWord(f.job.script().Text, "authorization") {
			begin = append(begin, "SET LOCAL SESSION AUTHORIZATION DEFAULT")
		}
		begin = append(begin, "SELECT pg_catalog.set_config('role', "+literal(f.role)+", true)")
	}
	_, err := f.session.send(ctx, strings.Join(append(append(begin, statements...), "COMMIT"), ";\n"))
	if err != nil {
		f.session.rollback(ctx)
	}
	return err
}

// resume returns the number of the first statement to run.
func (f *fileRun) resume(ctx context.Context) (first int, err error) {
	var results []*pgconn.Result
	err = f.givingWay(ctx, func() (err error) {
		results, err = f.session.send(ctx, fmt.Sprintf("SELECT statements_done, checksum, running FROM %s WHERE %s", f.target.progress(), f.row()))
		return err
	})
	switch {
	case errors.As(err, new(*busyError)):
		return 0, err
	case err != nil:
		return 0, f.failed(f.job, err)
	}
	if len(results[0].Rows) == 0 {
		return 0, nil
	}
	row := results[0].Rows[0]
	if first, err = strconv.Atoi(string(row[0])); err != nil {
		return 0, f.failed(f.job, err)
	}
	if first > len(f.texts) || f.job.script().Prefix(first) != string(row[1]) {
		return 0, f.failed(f.job, fmt.Errorf("%w: leave its first %d statements as they were, with the comments between them, and change "+
			"what follows; or undo by hand what they have done, Forget the file, and run again", errPrefix, first))
	}
	f.resumed, f.pending = true, first < len(f.texts) && row[2] != nil && string(row[2]) == migfile.Checksum(f.texts[first])
	if f.pending {
		if err := f.waitForOrphan(ctx, f.texts[first]); err != nil {
			return 0, err
		}
	}
	return first, f.repeatSettings(ctx, first)
}

var errPrefix = errors.New("an earlier run has done a part of the file that has been changed since")

// repeatSettings runs the SET statements again that an earlier run has done in its session.
func (f *fileRun) repeatSettings(ctx context.Context, first int) error {
	for i, text := range f.texts[:first] {
		sets := sqllex.Begins(text, "set") || sqllex.Begins(text, "reset") || sqllex.Begins(text, "select") && sqllex.HasWord(text, "set_config")
		if !sets {
			continue
		}
		if _, err := f.session.send(ctx, text); err != nil {
			return f.stopped(i, offset(err, text), err)
		}
	}
	return nil
}

// waitForOrphan waits while the backend of a run that has died goes on with the statement: it does not notice the death
// before it answers. It is known by the statement, because behind PgBouncer each may get another backend.
func (f *fileRun) waitForOrphan(ctx context.Context, text string) error {
	const shown = 500 // of the text: pg_stat_activity cuts it off at track_activity_query_size
	condition := fmt.Sprintf("a.state = 'active' AND pg_catalog.left(a.query, %d) = pg_catalog.left(%s, %d)", shown, literal(text), shown)
	begun := time.Now()
	for pause := newBackoff(firstPause, lastPause); ; {
		found, err := backends(ctx, f.session, condition)
		if err != nil || len(found) == 0 {
			return err
		}
		if waited := time.Since(begun); waited >= f.waitLimit {
			return &WaitError{Schema: f.target.schema, Module: f.target.module, Waited: waited, Holders: found}
		}
		f.log.LogAttrs(ctx, slog.LevelWarn, "pgdbm: waiting for a statement of a run that has died", append(f.attrs(),
			slog.String("for", names(found)))...)
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// isDone reports whether a statement has failed because it has been run before. That can be said of statements only that make
// or remove a thing and do nothing else.
func isDone(text string, err error) bool {
	const undefinedObject, undefinedFunction, duplicateColumn, duplicateFunction = "42704", "42883", "42701", "42723"
	isThere := hasCode(err, duplicateTable, duplicateObject, duplicateSchema, duplicateColumn, duplicateFunction)
	isGone := hasCode(err, undefinedTable, undefinedObject, undefinedColumn, undefinedFunction, invalidSchema)
	switch {
	case sqllex.Begins(text, "create"): // a temporary thing ends with its session
		return isThere && !sqllex.HasWord(text, "temp", "temporary", "pg_temp")
	case sqllex.Begins(text, "alter") && sqllex.HasWord(text, "add"):
		return isThere
	case sqllex.Begins(text, "alter") && sqllex.HasWord(text, "detach"):
		return hasCode(err, undefinedTable) // it is not a partition
	case sqllex.Begins(text, "drop") && !slices.Contains(sqllex.Tokens(text, 100), ","), // of several things the first may be there still
		sqllex.Begins(text, "alter") && sqllex.HasWord(text, "drop") && !hasCode(err, undefinedTable):
		return isGone
	}
	return false
}

// finish writes the history, also when ctx has ended: all is done.
func (f *fileRun) finish(ctx context.Context) error {
	err := f.settle(ctx, func(ctx context.Context) error {
		if err := f.session.checkEncoding(ctx); err != nil && !errors.Is(err, errEncoding) { // nothing follows that could be misread
			return err
		}
		return f.record(ctx, []string{f.target.finished(f.job, time.Since(f.begun)), f.target.forgetProgress(f.job.m.File)})
	})
	if err == nil {
		return nil
	}
	failed := f.failed(f.job, fmt.Errorf("all of its statements are done, but the history cannot be written: %w", err))
	if err := f.noteNow(ctx, len(f.texts)); err != nil {
		failed.Note = "nor can that be noted, so the next run begins with the last statement again"
	}
	return failed
}
