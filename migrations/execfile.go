package migrations

import (
	"context"
	"log/slog"

	"github.com/pgdbm/pgdbm/internal/migfile"

	"github.com/pgdbm/pgdbm/schemadb"
)

// ExecFile runs the statements of a SQL file in one transaction, like a migration: with templates, also in literals and dollar
// quotes, with the rows of COPY ... FROM stdin, and with a BEGIN and a COMMIT around the whole file or without. It keeps no
// history, so each call runs the file again, and it creates nothing that the file does not. It is for data: seeds of tests,
// and of databases for development. A file without statements does nothing. The directive -- pgdbm:no-transaction is an error.
// As for a migration, the pool's statement_timeout does not count.
//
// File is the name for errors, and content is its text. Templates expand for the schema that db is bound to, or for that of the
// context. The connection is closed afterwards, so what the file sets in the session goes with it.
//
// If a statement fails, nothing of the file is left. The errors are *[SourceError] if the text cannot be run, *[MigrationError]
// without a module if a statement fails, *[PoolError], and that of ctx. ExecFile is safe for concurrent use.
func ExecFile(ctx context.Context, db *schemadb.DB, file string, content []byte) error {
	s, err := migfile.ReadOnce(file, content)
	if err != nil {
		return sourceError(err)
	}
	if len(s.Statements) == 0 {
		return nil
	}
	m := Migrator{db: db, options: options{log: slog.New(slog.DiscardHandler), waitLimit: defaultWaitLimit}}
	t, err := m.target(ctx)
	if err != nil {
		return err
	}
	t.module = ""
	texts, err := s.Expand(t.name)
	if err != nil {
		return err
	}
	sessions, err := borrow(ctx, db.Pool(), 1, 0, m.options.waitLimit)
	if err != nil {
		return err
	}
	r := &run{options: &m.options, db: db, target: t, session: sessions[0], result: &Result{}}
	defer r.session.close()
	if r.target.path, err = r.session.enter(ctx, t); err != nil {
		return err
	}
	r.session.spoiled = true
	return r.once(ctx, job{m: &migration{Migration: Migration{File: file}, up: s}}, texts)
}

// once runs a job that the history knows nothing of.
func (r *run) once(ctx context.Context, j job, texts []string) error {
	before := r.newMessage()
	before.add(guards, "BEGIN ISOLATION LEVEL "+j.isolation())
	before.limit()
	if _, err := r.exchange(ctx, before); err != nil {
		r.session.rollback(ctx)
		return r.failed(j, err)
	}
	if err := r.parts(ctx, j, texts, false); err != nil {
		r.session.rollback(ctx)
		return err
	}
	if _, err := r.session.send(ctx, "COMMIT"); err != nil { // a deferred constraint
		return r.failed(j, err)
	}
	return nil
}
