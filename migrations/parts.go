package migrations

import (
	"context"
	"errors"
	"strings"

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
	before.begin(j, newGuard(r.target, st))
	if results, err := r.session.send(ctx, before.text.String()); err != nil {
		return r.sendError(before, len(results), []job{j}, err)
	}
	if err := r.parts(ctx, j, texts); err != nil {
		return err
	}
	after.timed = before.timed
	after.restore(j)
	after.commit(true)
	results, err := r.session.send(ctx, after.text.String())
	if err != nil {
		return r.jobFailed(j, -1, -1, err)
	}
	took, mark := durations(after, results)
	r.session.spoiled = r.session.spoiled || mark != r.session.mark
	r.done(ctx, st, j, took[j.m.File])
	return nil
}

// parts sends the statements of a job in messages of bounded size, and rows between them.
func (r *run) parts(ctx context.Context, j job, texts []string) error {
	for i := 0; i < len(texts); i++ {
		if err := r.session.checkEncoding(ctx); err != nil {
			return r.jobFailed(j, i, -1, err)
		}
		if s := j.script().Statements[i]; s.HasRows {
			if err := r.statement(ctx, s, texts[i]); err != nil {
				return r.jobFailed(j, i, offset(err, texts[i]), err)
			}
			continue
		}
		m := r.newMessage()
		for ; i < len(texts) && m.text.Len() < batchBytes && !j.script().Statements[i].HasRows; i++ {
			m.addStatement(works, i, texts[i])
		}
		i--
		if results, err := r.session.send(ctx, m.text.String()); err != nil {
			at, offset := m.failed(len(results), err)
			return r.jobFailed(j, at.statement, offset, err)
		}
	}
	return nil
}

// statement runs one statement, with its rows if it is COPY.
func (r *run) statement(ctx context.Context, s migfile.Statement, text string) error {
	if !s.HasRows {
		_, err := r.session.send(ctx, text)
		return err
	}
	return r.session.interruptible(ctx, func(ctx context.Context, pg *pgconn.PgConn) error {
		_, err := pg.CopyFrom(ctx, strings.NewReader(s.Rows), text)
		return err
	})
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
