package migrations

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pgdbm/pgdbm/internal/migfile"

	"github.com/jackc/pgx/v5/pgconn"
)

// inParts runs a migration that does not fit into one message: because it has rows for COPY ... FROM stdin, as pg_dump writes
// them, which are sent between two messages, or because it is so large that the server would need much memory for it.
func (r *run) inParts(ctx context.Context, st *state, j job) error {
	texts, err := j.script().Expand(r.target.name)
	if err != nil {
		return r.failed(j, err)
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	err = r.copyTransaction(ctx, st, j, texts)
	if err != nil {
		r.session.rollback(ctx)
	}
	r.session.spoiled = r.session.spoiled || j.changesSession()
	return err
}

func (r *run) copyTransaction(ctx context.Context, st *state, j job, texts []string) error {
	before, after := r.newMessage(), r.newMessage()
	g := newGuard(r.target, st)
	before.begin(j, g)
	if a, err := r.exchange(ctx, before); err != nil {
		return r.sendError(before, len(a.results), []job{j}, err)
	}
	if err := r.parts(ctx, j, texts, g.createTable); err != nil {
		return err
	}
	after.timed = before.timed
	after.end(j, g)
	after.commit(true)
	a, err := r.exchange(ctx, after)
	results := a.results
	if err != nil {
		return r.sendError(after, len(results), []job{j}, err)
	}
	took, mark := durations(after, results)
	r.session.spoiled = r.session.spoiled || mark != r.session.mark
	r.done(ctx, st, j, took[j.m.File])
	return nil
}

// parts sends the statements of a job in messages of bounded size, and rows between them.
func (r *run) parts(ctx context.Context, j job, texts []string, created bool) error {
	for i := 0; i < len(texts); i++ {
		if err := r.session.checkEncoding(ctx); err != nil {
			return r.jobFailed(j, i, -1, err)
		}
		if s := j.script().Statements[i]; s.HasRows {
			if err := r.statement(ctx, j, i, texts[i]); err != nil {
				return r.jobFailed(j, i, offset(err, texts[i]), err)
			}
			continue
		}
		m := r.newMessage()
		for ; i < len(texts) && m.text.Len() < batchBytes && !j.script().Statements[i].HasRows; i++ {
			m.work(i, texts[i], created)
		}
		i--
		a, err := r.exchange(ctx, m)
		r.hear(ctx, a.notices, func(n int) (job, int) { return j, m.marks[n].statement })
		if err != nil {
			return r.partError(m, len(a.results), j, err)
		}
	}
	return nil
}

// partError is the error of a message of a job's statements.
func (r *run) partError(m *message, results int, j job, err error) error {
	at, offset := m.failed(results, err)
	if at.role == checks {
		return r.touched(j, at.statement, err)
	}
	return r.jobFailed(j, at.statement, offset, err)
}

// statement runs statement i of a job, with its rows if it is COPY.
func (r *run) statement(ctx context.Context, j job, i int, text string) error {
	a, err := r.session.exec(ctx, text, j.script().Statements[i].Rows)
	r.hear(ctx, a.notices, func(int) (job, int) { return j, i })
	return err
}

// hear writes the server's notices to the log, with the statement that they are about. Those about statements of ours, whose number is
// negative, are not the user's.
func (r *run) hear(ctx context.Context, notices []notice, about func(n int) (job, int)) {
	for _, n := range notices {
		j, statement := about(n.statement)
		if statement < 0 {
			continue
		}
		line, _, _ := j.script().Place(statement, r.target.name, 0)
		level := r.level
		if n.SeverityUnlocalized == "WARNING" {
			level = slog.LevelWarn
		}
		r.log.LogAttrs(ctx, level, "pgdbm: "+n.SeverityUnlocalized+" from the server", append(r.attrs(), slog.String("file", j.script().File),
			slog.Int("line", line), slog.String("message", n.Message))...)
	}
}

// offset returns where in a statement of its own the server's error is, in bytes, or -1.
func offset(err error, text string) int {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Position <= 0 {
		return -1
	}
	return byteOffset(text, int(pgErr.Position))
}

// inParts reports whether a script does not go into one message.
func inParts(s *migfile.Script) bool { return s.HasRows() || len(s.Text) > batchBytes }
