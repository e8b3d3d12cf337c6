package driver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// These tests show what this driver relies on and pgx does not promise. If an upgrade of pgx breaks one, the place that it names has to be
// looked at.

func connectPgx(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// group.sendSwitch: a description with columns, whatever they are, is not asked for again, and an empty statement may have one.
func TestPgconnBelievesDescriptions(t *testing.T) {
	t.Parallel()
	pg := connectPgx(t).PgConn()
	for name, sql := range map[string]string{"one": "SELECT 'x'", "none": ""} {
		if _, err := pg.Prepare(t.Context(), name, sql, nil); err != nil {
			t.Fatal(err)
		}
		p := pg.StartPipeline(t.Context())
		p.SendQueryStatement(&pgconn.StatementDescription{Name: name, Fields: make([]pgconn.FieldDescription, 1)}, nil, nil, nil)
		if err := p.Sync(); err != nil {
			t.Fatal(err)
		}
		result, err := p.GetResults()
		if err != nil {
			t.Fatal(err)
		}
		reader := result.(*pgconn.ResultReader)
		if found := reader.NextRow(); found != (sql != "") {
			t.Errorf("%q: a row: %t", sql, found)
		}
		if _, err := reader.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// group.describe: results are read in the order of the requests, before the group ends, and ending it afterwards is in time.
func TestPgconnFlushesInTheMiddle(t *testing.T) {
	t.Parallel()
	pg := connectPgx(t).PgConn()
	p := pg.StartPipeline(t.Context())
	p.SendDeallocate("nobody has this name")
	p.SendPrepare("", "SELECT $1::int4", nil)
	p.SendFlushRequest()
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if result, err := p.GetResults(); err != nil {
		t.Fatalf("%T, %v", result, err)
	}
	result, err := p.GetResults()
	if sd, ok := result.(*pgconn.StatementDescription); err != nil || !ok || len(sd.ParamOIDs) != 1 || sd.ParamOIDs[0] != pgtype.Int4OID {
		t.Fatalf("%+v, %v", result, err)
	}
	p.SendQueryPrepared("", [][]byte{[]byte("7")}, nil, nil)
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	if result, err = p.GetResults(); err != nil {
		t.Fatal(err)
	}
	if reader := result.(*pgconn.ResultReader); !reader.NextRow() || string(reader.Values()[0]) != "7" {
		t.Error("the value has not come back")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// group.Close: a group of which nothing was read can be ended and closed, and the connection goes on.
func TestPgconnClosesWhatNobodyRead(t *testing.T) {
	t.Parallel()
	pg := connectPgx(t).PgConn()
	p := pg.StartPipeline(t.Context())
	p.SendQueryParams("SELECT 1/0", nil, nil, nil, nil)
	err := errors.Join(p.Sync(), p.Close())
	if !hasCode(err, "22012") || pg.IsClosed() || pg.TxStatus() != 'I' {
		t.Errorf("%v, closed %t, status %c", err, pg.IsClosed(), pg.TxStatus())
	}
}

// execution.build: without a description values become text, as in pgx's mode exec, and strings are sent as they are for any type.
func TestBuilderWritesText(t *testing.T) {
	t.Parallel()
	m := pgtype.NewMap()
	var b pgx.ExtendedQueryBuilder
	if err := b.Build(m, nil, []any{"Grüße", nil, -7, uint8(3)}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"Grüße", "", "-7", "3"} {
		if string(b.ParamValues[i]) != want || b.ParamFormats[i] != pgx.TextFormatCode {
			t.Errorf("argument %d is %q in format %d", i, b.ParamValues[i], b.ParamFormats[i])
		}
	}
	if b.ParamValues[1] != nil {
		t.Error("NULL is a value")
	}
	for _, oid := range []uint32{pgtype.TextOID, pgtype.Int4OID, pgtype.JSONBOID, pgtype.UUIDOID, pgtype.TimestamptzOID, 99999} {
		sd := &pgconn.StatementDescription{ParamOIDs: []uint32{oid}}
		if err := b.Build(m, sd, []any{"any text"}); err != nil || string(b.ParamValues[0]) != "any text" || b.ParamFormats[0] != pgx.TextFormatCode {
			t.Errorf("type %d: %q, %v, %v", oid, b.ParamValues[0], b.ParamFormats, err)
		}
	}
}

// sessionOf: what belongs to a physical connection stays with it while a pgxpool lends it out.
func TestCustomDataStaysWithTheConnection(t *testing.T) {
	t.Parallel()
	pool := openPool(t, server.Database(t), 1)
	for i := range 2 {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		data := conn.Conn().PgConn().CustomData()
		if n, _ := data["reliance"].(int); n != i {
			t.Errorf("borrow %d finds %d", i, n)
		}
		data["reliance"] = i + 1
		conn.Release()
	}
}

// badConn: an error of what was not sent says so, and of what may have been sent does not.
func TestSafeToRetry(t *testing.T) {
	t.Parallel()
	conn := connectPgx(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := conn.PgConn().ExecParams(ctx, "SELECT 1", nil, nil, nil, nil).Read().Err; !pgconn.SafeToRetry(err) {
		t.Errorf("nothing was sent: %v", err)
	}
	err := conn.PgConn().ExecParams(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())", nil, nil, nil, nil).Read().Err
	if err == nil || pgconn.SafeToRetry(err) {
		t.Errorf("it was sent: %v", err)
	}
	if err := conn.PgConn().ExecParams(t.Context(), "SELECT 1", nil, nil, nil, nil).Read().Err; !pgconn.SafeToRetry(err) {
		t.Errorf("the connection is closed: %v", err)
	}
}
