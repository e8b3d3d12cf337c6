package schemadb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipelineFlush is how many rows are given to the server at a time.
const pipelineFlush = 50

// sendNative executes sql for each row. pgx's own batch encodes all rows before it sends the first, and closes the
// connection if it cannot encode one; in a pipeline the server executes rows while others are encoded, and the
// connection stays. It costs a round trip to prepare the statement.
func (b *batch) sendNative(ctx context.Context, conn *pgx.Conn, sql string) (int64, error) {
	config := conn.Config()
	_, rewrites := firstArg(b.rows).(pgx.QueryRewriter)
	mode := config.DefaultQueryExecMode
	switch {
	case rewrites, mode == pgx.QueryExecModeExec, mode == pgx.QueryExecModeSimpleProtocol:
	case config.Tracer == nil:
		return b.pipeline(ctx, conn, sql)
	default: // it sees pgx's own batches only
		if i, err := findUnsent(ctx, conn, sql, b.rows); err != nil {
			return 0, &RowError{Row: i, Err: explain(err, b.rows[i])}
		}
	}
	return sendRows(ctx, conn, sql, b.rows)
}

func firstArg(rows [][]any) any {
	if len(rows[0]) == 0 {
		return nil
	}
	return rows[0][0]
}

// pipeline executes sql for each row. It takes one round trip, and one more the first time.
func (b *batch) pipeline(ctx context.Context, conn *pgx.Conn, sql string) (int64, error) {
	again := b.sd != nil && b.sd.SQL == sql
	if !again {
		sd, err := conn.Prepare(ctx, "", sql)
		if err != nil {
			return 0, err
		}
		b.sd = sd
	}
	p := conn.PgConn().StartPipeline(ctx)
	defer func() { _ = p.Close() }() // for a Value method that panics; the second time it does nothing
	if again {                       // something else may have taken the name, which is none
		p.SendPrepare("", sql, b.sd.ParamOIDs)
	}
	sent, unsent := b.queue(p, conn)
	_ = p.Sync() // the results have its error
	n, err := b.results(p, sent, again)
	if errClose := p.Close(); err == nil && errClose != nil {
		err = errClose
	}
	if err == nil && sent < len(b.rows) {
		err = &RowError{Row: sent, Err: explain(unsent, b.rows[sent])}
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// queue sends the rows, and returns how many and why not all.
func (b *batch) queue(p *pgconn.Pipeline, conn *pgx.Conn) (int, error) {
	var encoded pgx.ExtendedQueryBuilder
	for i, row := range b.rows {
		if err := encoded.Build(conn.TypeMap(), b.sd, row); err != nil {
			return i, err
		}
		p.SendQueryPrepared("", encoded.ParamValues, encoded.ParamFormats, nil)
		if (i+1)%pipelineFlush == 0 {
			if err := p.Flush(); err != nil {
				return i + 1, err
			}
		}
	}
	return len(b.rows), nil
}

// results reads the results of so many rows, and of their statement before if that was prepared with them.
func (b *batch) results(p *pgconn.Pipeline, rows int, prepared bool) (n int64, err error) {
	if prepared {
		if _, err := p.GetResults(); err != nil {
			return 0, &RowError{Row: 0, Err: err}
		}
	}
	for i := range rows {
		result, err := p.GetResults()
		if err == nil {
			reader, ok := result.(*pgconn.ResultReader)
			if !ok {
				return 0, &RowError{Row: i, Err: fmt.Errorf("pgdbm: ExecMany: pgx returned a %T", result)}
			}
			var tag pgconn.CommandTag
			tag, err = reader.Close()
			n += tag.RowsAffected()
		}
		if err != nil {
			return 0, &RowError{Row: i, Err: explain(err, b.rows[i])}
		}
	}
	return n, nil
}
