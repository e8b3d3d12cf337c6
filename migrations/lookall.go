package migrations

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// glance is what is known about a target after all were asked at once.
type glance struct {
	upToDate bool
	state    *state // nil if it has to be looked at
}

// digest is SQL for the digest of a history, which is up to date if it has that of the source.
const digest = `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(` +
	`filename || ' ' || checksum, ',' ORDER BY filename COLLATE "C"), 'UTF8')), 'hex')`

// digest returns what the server returns for a history in which everything is applied.
func (s *source) digest() string {
	files := slices.Clone(s.migrations)
	slices.SortFunc(files, func(a, b *migration) int { return cmp.Compare(a.File, b.File) })
	var b strings.Builder
	for i, m := range files {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.File + " " + m.Checksum)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// lookAll finds out which targets are up to date.
func (w *worker) lookAll(ctx context.Context, targets []target) ([]glance, error) {
	if err := connect(ctx, w.db, w.session, w.options.waitLimit); err != nil {
		return nil, err
	}
	if w.options.sharedSchema != "" {
		return w.lookShared(ctx, targets)
	}
	found, err := w.lookOwn(ctx, targets)
	if !hasCode(err, undefinedTable, invalidSchema) {
		return found, err
	}
	return w.lookSome(ctx, targets)
}

// locksAtOnce is how many histories one transaction reads. It takes four locks for each, and the server has room for a few
// thousand.
const locksAtOnce = 50

// lookOwn asks for the digest of each history, all in one message.
func (w *worker) lookOwn(ctx context.Context, targets []target) ([]glance, error) {
	var message strings.Builder
	for i, t := range targets {
		if i%locksAtOnce == 0 {
			message.WriteString(briefly)
		}
		fmt.Fprintf(&message, "SELECT %s FROM %s WHERE %s;\n", digest, t.ownHistory(), t.ownRows())
		if i%locksAtOnce == locksAtOnce-1 || i == len(targets)-1 {
			message.WriteString("COMMIT;\n")
		}
	}
	results, err := w.session.send(ctx, message.String())
	if err != nil {
		w.session.rollback(ctx)
		return nil, err
	}
	want := w.source.digest()
	found := make([]glance, 0, len(targets))
	for _, result := range results {
		if result.FieldDescriptions != nil { // not BEGIN, SET and COMMIT
			found = append(found, glance{upToDate: string(result.Rows[0][0]) == want})
		}
	}
	return found, nil
}

// lookSome is lookOwn where some of the histories do not exist.
func (w *worker) lookSome(ctx context.Context, targets []target) ([]glance, error) {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.schema
	}
	states, err := catalog(ctx, w.session, names)
	if err != nil {
		return nil, err
	}
	found := make([]glance, len(targets))
	var there []target
	var at []int
	for i, t := range targets {
		switch st := states[t.schema]; {
		case st.table:
			there, at = append(there, t), append(at, i)
		case !st.schema:
			found[i].state = st
		}
	}
	if len(there) == 0 {
		return found, nil
	}
	some, err := w.lookOwn(ctx, there)
	for i, g := range some {
		found[at[i]] = g
	}
	return found, err
}

// lookShared asks the shared history.
func (w *worker) lookShared(ctx context.Context, targets []target) ([]glance, error) {
	module := "module_name = schema_name"
	if w.options.module != "" {
		module = "module_name = " + literal(w.options.module)
	}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = literal(t.schema)
	}
	// The name of a type or function is looked up in pg_catalog first, whatever the search_path says, unless it says otherwise.
	query := fmt.Sprintf(`SELECT n.oid IS NOT NULL, c.oid IS NOT NULL, h.digest, p.schema_name IS NOT NULL
FROM pg_catalog.unnest(ARRAY[%s]::pg_catalog.name[]) WITH ORDINALITY s (name, position)
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.name
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = '%s'
LEFT JOIN (SELECT schema_name, %s AS digest FROM %s WHERE %s GROUP BY schema_name) h ON h.schema_name = s.name::pg_catalog.text
LEFT JOIN (SELECT DISTINCT schema_name FROM %s WHERE %s) p ON p.schema_name = s.name::pg_catalog.text
ORDER BY s.position`, strings.Join(names, ", "), ownTable, digest, targets[0].history(), module, targets[0].progress(), module)
	results, err := w.session.read(ctx, query)
	if hasCode(err, undefinedTable, invalidSchema) {
		if err := ensureShared(ctx, w.session, targets[0].shared); err != nil {
			return nil, err
		}
		results, err = w.session.read(ctx, query)
	}
	if err != nil {
		return nil, err
	}
	want := w.source.digest()
	found := make([]glance, len(targets))
	for i, row := range results[0].Rows {
		schema, own := isTrue(row[0]), isTrue(row[1])
		switch {
		case schema && !own && string(row[2]) == want:
			found[i].upToDate = true
		case !schema:
			found[i].state = &state{table: true, stale: row[2] != nil || isTrue(row[3])}
		case !own && row[2] == nil:
			found[i].state = &state{schema: true, table: true}
		}
	}
	return found, nil
}
