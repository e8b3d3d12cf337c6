package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/schemadb"
)

// Migrator migrates one module in one schema. It is safe for concurrent use: runs of the same schema wait for each other,
// whichever process they are in.
type Migrator struct {
	options options
	db      *schemadb.DB
	source  *source
}

var errNilDB = errors.New("pgdbm: migrations: the *schemadb.DB is nil; make one with schemadb.Open or schemadb.New")

// New returns a Migrator of the files in the root of files, or in its only folder that has any, for the schema of db:
// an embed.FS, or [Dir]. Files may be nil if there are Go functions. It reads and checks all files, and does not touch the
// database. The errors are *[SourceError], joined, [ErrNoMigrations], and those of options.
func New(db *schemadb.DB, files fs.FS, opts ...Option) (*Migrator, error) {
	if db == nil {
		return nil, errNilDB
	}
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	if o.forAll != "" {
		return nil, fmt.Errorf("pgdbm: migrations: the option %s is for ApplyAll", o.forAll)
	}
	source, err := readSource(files, &o)
	if err != nil {
		return nil, err
	}
	return &Migrator{options: o, db: db, source: source}, nil
}

// Module returns the name of the module, or "" if it is that of the schema.
func (m *Migrator) Module() string { return m.options.module }

// Apply applies what is pending: the versioned migrations in the order of their versions, each in a transaction together
// with its row in the history, then the repeatable ones that are new or have changed. It creates the schema and the
// history if they are missing. If another run is at work on the same schema, it waits, and does what is left.
//
// If it fails, the Result says what was done before. The errors are *[MigrationError], *[DriftError], *[WaitError],
// *[PoolError], *[HistoryError], *[BlockedError], and that of ctx.
func (m *Migrator) Apply(ctx context.Context) (*Result, error) {
	return m.run(ctx, func(st *state, _ int, t target) ([]job, error) {
		if err := m.options.check(m.source.drift(t, st)); err != nil {
			return nil, err
		}
		return m.source.pending(st), nil
	})
}

// run does what plan says. It borrows two connections: one that keeps the Python library out, and one that works.
func (m *Migrator) run(ctx context.Context, plan func(*state, int, target) ([]job, error)) (*Result, error) {
	t, err := m.target(ctx)
	result := &Result{Schema: t.schema, Module: t.module}
	if err != nil {
		return result, err
	}
	sessions, err := borrow(ctx, m.db.Pool(), 2, 0, m.options.waitLimit)
	if err != nil {
		return result, err
	}
	session := sessions[1]
	defer session.close()
	t.pooled, t.citus = session.pooled, session.citus
	ctx, hold, err := holdModule(ctx, &m.options, sessions[0], t)
	if err != nil {
		return result, err
	}
	defer hold.release()
	r := &run{options: &m.options, db: m.db, target: t, session: session, hold: hold, result: result,
		plan: func(st *state, done int) ([]job, error) { return plan(st, done, t) }}
	return result, r.do(ctx, nil)
}

// target finds out what the run is about: the schema that the facade is bound to, or else that of the context or the DSN,
// or else the first one of the search_path.
func (m *Migrator) target(ctx context.Context) (target, error) {
	quoted, err := m.db.ExpandContext(ctx, "{{schema}}")
	if err != nil {
		return target{}, err
	}
	t := target{module: m.options.module, shared: m.options.sharedSchema, flyway: m.source != nil && m.source.flyway}
	if strings.HasPrefix(quoted, `"`) { // without a schema it is the bare word public
		t.name = strings.ReplaceAll(quoted[1:len(quoted)-1], `""`, `"`)
		t.schema = t.name
	} else if t.schema, err = currentSchema(ctx, m.db); err != nil {
		return target{}, err
	}
	switch {
	case t.module == "" && t.name == "":
		t.module = "default"
	case t.module == "":
		t.module = t.name
	}
	return t, nil
}

var errNoSchema = errors.New("pgdbm: migrations: the facade has no schema, and no schema of the search_path exists; " +
	"name one with ForSchema")

func currentSchema(ctx context.Context, db *schemadb.DB) (string, error) {
	schema, err := schemadb.Value[*string](ctx, db, "SELECT pg_catalog.current_schema()::pg_catalog.text")
	if err != nil {
		return "", err
	}
	if schema == nil || !utf8.ValidString(*schema) {
		return "", errNoSchema
	}
	return *schema, nil
}
