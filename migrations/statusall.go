package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/pgdbm/pgdbm/schemadb"
)

// AllStatus says how far many schemas are. It can be marshalled to JSON.
type AllStatus struct {
	Groups []StatusGroup  // the schemas by the last versioned migration that was applied in them, those without one first
	Behind []SchemaStatus // the schemas with migrations that were not applied
	Differ []SchemaStatus // the schemas whose history does not fit the files: see DriftError
	Failed []Failure      // the schemas whose history cannot be read
}

// StatusGroup has the schemas that have come equally far.
type StatusGroup struct {
	Migration *Migration // nil if none is applied, or there is no such schema
	Schemas   []string   // in the order in which they were given
}

// SchemaStatus says how far a schema is.
type SchemaStatus struct {
	Schema    string
	Migration *Migration  // the last versioned one that was applied, or nil
	Pending   int         // how many were not applied, or have changed if they are repeatable
	Drift     *DriftError // how the history differs from the files, or nil
}

// StatusAll compares the histories of many schemas with the files, on one connection. It changes nothing and takes no lock. It asks once
// for a thousand schemas, and once more for those of them that are not there, whose history cannot be read, or moves to a [SharedHistory]
// with their next run.
//
// Schemas and opts are those of [ApplyAll]; options that say how to run are ignored. The result is not nil. A schema that cannot be read
// does not make StatusAll fail; the error says why nothing could be read, as for [New], *[PoolError], or that of ctx.
func StatusAll[DB *sql.DB | *schemadb.DB](ctx context.Context, db DB, files fs.FS, schemas iter.Seq[string], opts ...Option) (*AllStatus, error) {
	a, s := &all{result: &AllResult{}}, &AllStatus{}
	if err := a.open(any(db), files, schemas, opts); err != nil {
		return s, err
	}
	a.options.progress = nil
	targets := a.targets(schemas)
	s.Failed = a.result.Failed // no schema can have such a name
	sessions, err := borrow(ctx, a.db.Pool(), 1, 0, a.options.waitLimit)
	if err != nil {
		return s, err
	}
	defer closeAll(sessions)
	w := &worker{all: a, session: sessions[0]}
	for chunk := range slices.Chunk(targets, a.chunkSize()) {
		if err := w.statusOf(ctx, chunk, s); err != nil {
			return s, err
		}
	}
	slices.SortStableFunc(s.Groups, func(x, y StatusGroup) int {
		return cmp.Compare(a.source.place(x.Migration), a.source.place(y.Migration))
	})
	return s, nil
}

// place returns where a migration is in the order of the source, or -1 for nil.
func (s *source) place(m *Migration) int {
	return slices.IndexFunc(s.migrations, func(x *migration) bool { return m != nil && x.File == m.File })
}

// statusOf adds some schemas.
func (w *worker) statusOf(ctx context.Context, targets []target, s *AllStatus) error {
	read := w.readHistories
	if w.options.sharedSchema != "" {
		read = w.readShared
	}
	histories, err := read(ctx, targets)
	switch {
	case err == nil:
		for _, t := range targets {
			s.add(w.source, t, histories[t.schema])
		}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(targets) == 1:
		s.Failed = append(s.Failed, Failure{Schema: targets[0].schema, Err: err})
	default: // one of them may be the reason
		for one := range slices.Chunk(targets, 1) {
			if err := w.statusOf(ctx, one, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a schema.
func (s *AllStatus) add(source *source, t target, history []applied) {
	st := &state{applied: history}
	status := SchemaStatus{Schema: t.schema, Pending: len(source.pending(st)), Drift: source.drift(t, st)}
	for _, m := range source.migrations {
		if m.Kind == Versioned && st.find(m.File) != nil {
			status.Migration = &m.Migration
		}
	}
	i := slices.IndexFunc(s.Groups, func(g StatusGroup) bool { return g.Migration == status.Migration })
	if i < 0 {
		i, s.Groups = len(s.Groups), append(s.Groups, StatusGroup{Migration: status.Migration})
	}
	s.Groups[i].Schemas = append(s.Groups[i].Schemas, t.schema)
	if status.Pending > 0 {
		s.Behind = append(s.Behind, status)
	}
	if status.Drift != nil {
		s.Differ = append(s.Differ, status)
	}
}

// readHistories reads the histories that schemas have of their own.
func (w *worker) readHistories(ctx context.Context, targets []target) (map[string][]applied, error) {
	all := make(map[string][]applied, len(targets))
	histories, err := w.session.readOwn(ctx, targets)
	if hasCode(err, undefinedTable, invalidSchema) {
		names := make([]string, len(targets))
		for i, t := range targets {
			names[i] = t.schema
		}
		states, err := catalog(ctx, w.session, names)
		if err != nil {
			return nil, err
		}
		targets = slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return !states[t.schema].table })
		if len(targets) == 0 {
			return all, nil
		}
		if histories, err = w.session.readOwn(ctx, targets); err != nil {
			return nil, err
		}
	} else if hasCode(err, undefinedColumn, wrongObjectType) && len(targets) == 1 {
		return nil, foreignHistory(targets[0].ownHistory(), err)
	}
	if err != nil && histories == nil {
		return nil, err
	}
	for i, t := range targets {
		all[t.schema] = histories[i]
	}
	return all, nil
}

// readShared reads the shared history. Most schemas have the same, so the server groups them.
func (w *worker) readShared(ctx context.Context, targets []target) (map[string][]applied, error) {
	module := "module_name = schema_name"
	if w.options.module != "" {
		module = "module_name = " + literal(w.options.module)
	}
	names, byName := make([]string, len(targets)), make(map[string]target, len(targets))
	for i, t := range targets {
		names[i], byName[t.schema] = t.schema, t
	}
	schemas := "pg_catalog.unnest(" + textArray(names) + ") s (name) JOIN pg_catalog.pg_namespace n ON n.nspname = s.name::pg_catalog.name"
	own := fmt.Sprintf("SELECT s.name FROM %s JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = '%s'", schemas, ownTable)
	results, err := w.session.read(ctx, fmt.Sprintf(`SELECT pg_catalog.json_agg(h.schema_name)::pg_catalog.text, h.files FROM (
SELECT schema_name, pg_catalog.json_agg(pg_catalog.json_build_array(filename, checksum) ORDER BY id)::pg_catalog.text FROM %s JOIN %s ON schema_name = s.name WHERE %s
GROUP BY schema_name) h (schema_name, files) GROUP BY h.files;
%s`, targets[0].history(), schemas, module, own))
	if hasCode(err, undefinedTable, invalidSchema) { // it begins with the first run
		return w.readHistories(ctx, targets)
	}
	if err != nil {
		return nil, err
	}
	all := make(map[string][]applied, len(targets))
	for _, row := range results[0].Rows {
		var schemas []string
		var files [][2]string
		if err := cmp.Or(json.Unmarshal(row[0], &schemas), json.Unmarshal(row[1], &files)); err != nil {
			return nil, err
		}
		history := make([]applied, len(files))
		for i, f := range files {
			history[i] = applied{file: f[0], checksum: f[1]}
		}
		for _, schema := range schemas {
			all[schema] = history
		}
	}
	var moving []target
	for _, row := range results[1].Rows {
		moving = append(moving, byName[string(row[0])])
	}
	if moving == nil {
		return all, nil
	}
	before, err := w.readHistories(ctx, moving)
	for schema, history := range before {
		all[schema] = append(slices.Clone(history), all[schema]...)
	}
	return all, err
}
