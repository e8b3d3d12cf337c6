package schemadb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
)

// A batch of ExecMany is sent when it has so many rows, or about so many bytes of arguments.
const (
	batchRows  = 1000
	batchBytes = 1 << 20
)

// RowError says which row of [DB.ExecMany] or [DB.CopyFrom] failed. Err is the reason, often a *pgconn.PgError. Nothing
// of the call was written.
type RowError struct {
	Row int // from 0
	Err error
}

// Error tells the row and the reason.
func (e *RowError) Error() string {
	return fmt.Sprintf("pgdbm: row %d (counted from 0): %v", e.Row, e.Err)
}

// Unwrap returns the reason.
func (e *RowError) Unwrap() error { return e.Err }

// ExecMany executes a statement for each of many rows, in one transaction, and returns how many rows of the table it
// changed. The rows are a slice or an iter.Seq of []any, for parameters $1, $2 ..., or of structs or maps, for
// parameters such as :email; or an iter.Seq2 of those and errors. They are sent in batches of up to 1,000, each of which
// takes one round trip. A row that fails is a *[RowError], and undoes the rows before it.
//
// On other drivers than pgdbm and pgx each row takes a round trip. [DB.CopyFrom] is faster still, where the statement is
// an INSERT of the rows.
func (db *DB) ExecMany(ctx context.Context, query string, rows any) (int64, error) {
	return execMany(ctx, db, query, rows)
}

// ExecMany is [DB.ExecMany] on this connection.
func (c *Conn) ExecMany(ctx context.Context, query string, rows any) (int64, error) {
	return execMany(ctx, c, query, rows)
}

// ExecMany is [DB.ExecMany] in a savepoint of the transaction: it is all or nothing, and the transaction can go on after an
// error.
func (tx *Tx) ExecMany(ctx context.Context, query string, rows any) (int64, error) {
	return execMany(ctx, tx, query, rows)
}

func execMany(ctx context.Context, q Querier, query string, rows any) (n int64, err error) {
	err = q.InTx(ctx, func(tx *Tx) error {
		n, err = tx.execMany(ctx, query, rows)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (tx *Tx) execMany(ctx context.Context, query string, rows any) (int64, error) {
	parsed, err := tx.scope.pool.names.Get(query)
	if err != nil {
		return 0, err
	}
	seq, err := rowsOf(rows, func(row any) ([]any, error) { return parsed.Args(tx.mapper, row) })
	if err != nil {
		return 0, err
	}
	b := batch{tx: tx, query: parsed.SQL()}
	return b.all(ctx, seq)
}

// batch collects rows and sends them.
type batch struct {
	tx    *Tx
	query string
	sd    *pgconn.StatementDescription // of the statement without a name, once one batch was pipelined

	rows  [][]any
	bytes int
	first int // the number of rows that were sent before
	total int64
}

func (b *batch) all(ctx context.Context, rows rowSeq) (int64, error) {
	n := 0
	for row, err := range rows {
		if err != nil {
			return 0, &RowError{Row: n, Err: err}
		}
		n++
		b.rows = append(b.rows, slices.Clone(row)) // its memory may be used again for the next one
		b.bytes += size(row)
		if len(b.rows) == batchRows || b.bytes >= batchBytes {
			if err := b.flush(ctx); err != nil {
				return 0, err
			}
		}
	}
	if err := b.flush(ctx); err != nil {
		return 0, err
	}
	return b.total, nil
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	n, err := b.send(ctx)
	var row *RowError
	if errors.As(err, &row) {
		row.Row += b.first
	}
	b.first += len(b.rows)
	b.rows, b.bytes = b.rows[:0], 0
	b.total += n
	return err
}

// size is about what a row's arguments take on the wire. Only texts and bytes can be large.
func size(row []any) int {
	n := 0
	for _, value := range row {
		switch v := value.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
		n += 16
	}
	return n
}

// send executes the statement for each row, in one round trip if it can.
func (b *batch) send(ctx context.Context) (int64, error) {
	var n int64
	err := b.tx.native(ctx, func(c native.Conn) error {
		return c.Do(b.tx.scope.context(ctx), b.query, func(conn *pgx.Conn, sql, _ string) (err error) {
			n, err = b.sendNative(b.tx.scope.context(ctx), conn, sql) // a tracer may ask for the schema
			return err
		})
	})
	if errors.Is(err, errNotNative) {
		return b.tx.execEach(ctx, b.query, b.rows)
	}
	return n, err
}

// sendRows executes sql for each row, in one round trip, as a batch of pgx.
func sendRows(ctx context.Context, conn *pgx.Conn, sql string, rows [][]any) (int64, error) {
	var b pgx.Batch
	for _, row := range rows {
		b.Queue(sql, row...)
	}
	results := conn.SendBatch(ctx, &b)
	var n int64
	for i, row := range rows {
		tag, err := results.Exec()
		if err != nil {
			_ = results.Close() // it has the same error
			if i == 0 {
				if at, unsent := findUnsent(ctx, conn, sql, rows); unsent != nil {
					i, row, err = at, rows[at], unsent // which explain can keep from showing the value
				}
			}
			return 0, &RowError{Row: i, Err: explain(err, row)}
		}
		n += tag.RowsAffected()
	}
	return n, results.Close()
}

// findUnsent returns the row whose arguments cannot be encoded, and why: pgx sends nothing then and does not say which it
// was. If they all can be, the server has refused the first.
func findUnsent(ctx context.Context, conn *pgx.Conn, sql string, rows [][]any) (int, error) {
	if conn.PgConn().TxStatus() == 'E' || conn.IsClosed() {
		return 0, nil
	}
	sd, err := conn.Prepare(ctx, "", sql)
	if err != nil {
		return 0, err
	}
	var b pgx.ExtendedQueryBuilder
	for i, row := range rows {
		if err := b.Build(conn.TypeMap(), sd, row); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// execEach executes query for each row, on drivers that have no batches.
func (tx *Tx) execEach(ctx context.Context, query string, rows [][]any) (int64, error) {
	stmt, err := tx.PreparexContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }() // the transaction's end closes it in any case
	var n int64
	for i, row := range rows {
		result, err := stmt.ExecContext(ctx, row...)
		if err != nil {
			return 0, &RowError{Row: i, Err: err}
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		n += changed
	}
	return n, nil
}
