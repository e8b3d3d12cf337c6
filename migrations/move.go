package migrations

import (
	"context"
	"fmt"
)

// move brings what a schema has in a history of its own to the shared one, in a transaction before the run's first one.
func (r *run) move(ctx context.Context, st *state) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	t, m := r.target, r.newMessage()
	m.add(guards, "BEGIN ISOLATION LEVEL READ COMMITTED")
	m.add(guards, "LOCK TABLE "+t.ownHistory()+" IN SHARE ROW EXCLUSIVE MODE NOWAIT")
	m.check(newGuard(t, st))
	which := t.ownRows()
	if st.ownOnly {
		which = "true"
	}
	m.add(guards, "SELECT "+zero([]string{count(t.ownHistory(), which, st.ownRows)}))
	for _, sql := range t.move(st) {
		m.add(guards, sql)
	}
	m.commit(true)
	if _, err := r.exchange(ctx, m); err != nil {
		r.session.rollback(ctx)
		if isBusy(err) {
			return &busyError{err}
		}
		return fmt.Errorf("pgdbm: module %q in schema %q: its history cannot be moved to %s: %w", t.module, t.schema, t.history(), err)
	}
	st.rows, st.own = len(st.applied), false
	return nil
}

// move returns the statements that move the target's rows of its own history and of the progress table beside it, and that drop
// those tables where nothing is left in them.
func (t target) move(st *state) []string {
	const progress = "schema_name, module_name, filename, statements_done, checksum, running"
	statements := []string{
		fmt.Sprintf("INSERT INTO %s (schema_name, module_name, filename, checksum, applied_at, applied_by, execution_time_ms) "+
			"SELECT %s, %s, filename, checksum, applied_at, applied_by, execution_time_ms FROM %s WHERE %s ORDER BY id "+
			"ON CONFLICT DO NOTHING", t.history(), literal(t.schema), literal(t.module), t.ownHistory(), t.ownRows()),
		fmt.Sprintf("DELETE FROM %s WHERE %s", t.ownHistory(), t.ownRows()),
	}
	if st.ownOnly {
		statements = append(statements, "DROP TABLE "+t.ownHistory())
	}
	if st.ownProgress {
		statements = append(statements,
			fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %[3]s WHERE %[4]s ON CONFLICT DO NOTHING", t.progress(), progress,
				t.ownProgress(), t.progressRows()),
			fmt.Sprintf("DELETE FROM %s WHERE %s", t.ownProgress(), t.progressRows()))
	}
	if st.ownProgressOnly {
		statements = append(statements, "DROP TABLE "+t.ownProgress())
	}
	return statements
}
