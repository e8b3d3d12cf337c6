package driver

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// repaired are rows that were read to their end before they are handed out, because a column of theirs came in a format
// that pgx would not have asked for, and perhaps cannot read.
type repaired struct {
	rows [][][]byte
	row  [][]byte // the current one
}

func (r *repaired) next() bool {
	if len(r.rows) == 0 {
		r.row = nil
		return false
	}
	r.row, r.rows = r.rows[0], r.rows[1:]
	return true
}

// changed is called if the columns are not those that were described: somebody has changed a table since. The statement
// may have written something, so it cannot be sent again with other formats. Instead the server turns the values from one
// format into the other.
func (s *execution) changed(o *order) error {
	s.conn.descriptions().forget(o.hash)
	s.conn.connector.shared.differ(o)
	if !s.more {
		return nil
	}
	m := s.conn.stdlibConn.Conn().TypeMap()
	var wrong []int
	for i, field := range s.fields {
		if field.Format != s.format(m, field.DataTypeOID) {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	s.conn.connector.counters.retries.Add(1)
	s.fields = slices.Clone(s.fields)
	r := &repaired{}
	for s.next() {
		row := make([][]byte, len(s.fields))
		for i, value := range s.reader.Values() {
			row[i] = bytes.Clone(value) // nil stays nil
		}
		r.rows = append(r.rows, row)
	}
	if s.err != nil {
		return s.err
	}
	for _, i := range wrong {
		if err := s.convert(r.rows, i); err != nil {
			return fmt.Errorf("pgdbm: column %s has got another type since its statement was described, and its values "+
				"cannot be read; the statement itself was executed: %w", s.fields[i].Name, err)
		}
	}
	s.repairs = r
	return nil
}

// convert lets the server turn the values of a column into the other format.
func (s *execution) convert(rows [][][]byte, column int) error {
	field := &s.fields[column]
	oids, from, to := []uint32{field.DataTypeOID}, []int16{field.Format}, []int16{1 - field.Format}
	batch := &pgconn.Batch{}
	var todo []*[]byte
	for _, row := range rows {
		if value := row[column]; value != nil {
			batch.ExecParams("SELECT $1", [][]byte{value}, oids, from, to)
			todo = append(todo, &row[column])
		}
	}
	results, err := s.conn.stdlibConn.Conn().PgConn().ExecBatch(s.ctx, batch).ReadAll()
	if err != nil {
		return err
	}
	for i, result := range results {
		*todo[i] = result.Rows[0][0]
	}
	field.Format = to[0]
	return nil
}
