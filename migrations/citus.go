package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// With schema-based sharding, the tables of a schema live on one node of a Citus cluster, and the coordinator passes on what it is sent.
// It refuses CREATE INDEX among several commands in one message (42601), and for tables of such a schema INSERT with a subquery and
// UPDATE with a function that is not immutable (0A000). So there each statement goes in a message of its own, and what would be
// calculated is asked for or sent as a value. See https://docs.citusdata.com/en/stable/develop/reference_workarounds.html

// exchange sends a message.
func (r *run) exchange(ctx context.Context, m *message) (*answer, error) {
	if !r.session.citus {
		return r.session.exec(ctx, m.text.String(), "")
	}
	all, begun := &answer{}, time.Now()
	for i, sql := range m.statements() {
		if file := m.marks[i].timed; file != "" {
			took := m.target.took(file, time.Since(begun))
			if _, err := r.session.exec(ctx, took, ""); err != nil {
				return all, err
			}
			begun = time.Now()
		}
		a, err := r.session.exec(ctx, sql, "")
		all.results = append(all.results, a.results...)
		for _, n := range a.notices {
			all.notices = append(all.notices, notice{i, n.PgError})
		}
		if err != nil {
			var pgErr *pgconn.PgError
			if errors.As(err, &pgErr) && pgErr.Position > 0 { // nobody else has the error yet
				pgErr.Position += int32(utf8.RuneCountInString(m.text.String()[:m.marks[i].start])) //nolint:gosec // the text has few megabytes
			}
			return all, err
		}
	}
	return all, nil
}

// took records how long a migration has taken.
func (t target) took(file string, took time.Duration) string {
	return fmt.Sprintf("UPDATE %s SET execution_time_ms = %d WHERE %s AND filename = %s", t.history(), took.Milliseconds(), t.rows(), literal(file))
}

// ownRecord is a query that fails unless the history has the record of a job that is done, or has it no more if it was undone.
func (t target) ownRecord(j job) string {
	which, want := " AND filename = "+literal(j.m.File), 0
	if j.records() {
		which, want = which+" AND checksum = "+literal(j.m.Checksum), 1
	}
	return "SELECT " + zero([]string{fmt.Sprintf("pg_catalog.count(*) = %d", want)}) + " FROM " + t.history() + " WHERE " + t.rows() + which
}

// isWorker reports whether a node of Citus has refused a statement because it is not the coordinator.
func isWorker(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && strings.HasPrefix(pgErr.Message, "operation is not allowed on this node")
}
