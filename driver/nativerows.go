package driver

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// nativeRows are the rows of an execution as pgx has them.
type nativeRows struct{ execution }

var _ pgx.Rows = (*nativeRows)(nil)

// Close closes the rows.
func (r *nativeRows) Close() { r.finish(nil) }

// Err returns the statement's error, for certain once the rows are closed.
func (r *nativeRows) Err() error { return r.err }

// CommandTag returns what the statement did, once the rows are closed.
func (r *nativeRows) CommandTag() pgconn.CommandTag { return r.tag }

// FieldDescriptions returns the columns.
func (r *nativeRows) FieldDescriptions() []pgconn.FieldDescription { return r.fields }

// Conn returns pgx's connection.
func (r *nativeRows) Conn() *pgx.Conn { return r.conn.session.pgx }

// TypeMap returns the types that the values are read with.
func (r *nativeRows) TypeMap() *pgtype.Map { return r.Conn().TypeMap() }

// Next goes to the next row, and closes the rows behind the last one.
func (r *nativeRows) Next() bool {
	if r.next() {
		return true
	}
	r.Close()
	return false
}

// RawValues returns the values of the row as they came.
func (r *nativeRows) RawValues() [][]byte { return r.row() }

// Scan reads the row into dest, and closes the rows if it cannot.
func (r *nativeRows) Scan(dest ...any) error {
	err := r.scan(dest)
	if err != nil {
		r.fail(err)
	}
	return err
}

func (r *nativeRows) scan(dest []any) error {
	if len(dest) == 1 {
		if whole, ok := dest[0].(pgx.RowScanner); ok {
			return whole.ScanRow(r)
		}
	}
	return pgx.ScanRow(r.TypeMap(), r.fields, r.row(), dest...)
}

// fail closes the rows with an error of the caller's side.
func (r *nativeRows) fail(err error) { r.finish(err) }

// Values returns the values of the row as Go values.
func (r *nativeRows) Values() ([]any, error) {
	row := r.row()
	if row == nil {
		return nil, errors.New("rows is closed")
	}
	values := make([]any, len(row))
	for i, src := range row {
		if src == nil {
			continue
		}
		var err error
		if values[i], err = r.decode(&r.fields[i], src); err != nil {
			r.fail(err)
			return nil, err
		}
	}
	return values, nil
}

func (r *nativeRows) decode(f *pgconn.FieldDescription, src []byte) (any, error) {
	m := r.TypeMap()
	if t, ok := m.TypeForOID(f.DataTypeOID); ok {
		return t.Codec.DecodeValue(m, f.DataTypeOID, f.Format, src)
	}
	switch f.Format {
	case pgx.TextFormatCode:
		return string(src), nil
	case pgx.BinaryFormatCode:
		return append([]byte(nil), src...), nil
	}
	return nil, fmt.Errorf("pgdbm: column %s came in the unknown format %d", f.Name, f.Format)
}
