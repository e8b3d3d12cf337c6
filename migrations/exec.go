package migrations

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// answer is what the server has sent back for a message.
type answer struct {
	results []*pgconn.Result // of the statements that ended well
	tables  []table          // what COPY ... TO STDOUT has sent
	notices []notice
}

// table has the columns of each row, nil for NULL.
type table [][]*string

// notice is a NOTICE or a WARNING of the server's.
type notice struct {
	statement int // its number in the message
	*pgconn.PgError
}

// send runs statements, and returns the results of those that ended well.
func (s *session) send(ctx context.Context, message string) ([]*pgconn.Result, error) {
	a, err := s.exec(ctx, message, "")
	return a.results, err
}

// exec runs a message of statements. Rows are those of its COPY ... FROM STDIN. It speaks the protocol itself, because pgconn hands
// notices only to a function that is set when the connection is made, and reads COPY ... TO STDOUT of one statement at a time only: see
// https://www.postgresql.org/docs/current/protocol-flow.html
func (s *session) exec(ctx context.Context, message, rows string) (*answer, error) {
	a := &answer{}
	err := s.interruptible(ctx, func(ctx context.Context, pg *pgconn.PgConn) error {
		pg.Frontend().SendQuery(&pgproto3.Query{String: message})
		if err := pg.Frontend().Flush(); err != nil {
			return errors.Join(err, pg.Close(ctx))
		}
		// ReceiveMessage would start a goroutine for each message to watch a context that can end.
		unhook := context.AfterFunc(ctx, func() { _ = pg.Conn().SetDeadline(time.Now()) })
		defer unhook()
		failed, broken := a.read(pg, rows)
		if broken != nil { // the answers that are left would be taken for those of the next statement
			return errors.Join(failed, broken, pg.Close(ctx))
		}
		return failed
	})
	return a, err
}

// read reads up to the end of the message. Failed is what the server has answered, and broken is why nothing more can be read.
func (a *answer) read(pg *pgconn.PgConn, rows string) (failed, broken error) {
	result, sent := &pgconn.Result{}, make(chan struct{})
	close(sent)
	defer func() { <-sent }()
	for {
		received, err := pg.ReceiveMessage(context.Background())
		if err != nil {
			_ = pg.Conn().SetDeadline(time.Now()) // ends the sending of rows
			return failed, err
		}
		switch m := received.(type) {
		case *pgproto3.DataRow:
			result.Rows = append(result.Rows, cloned(m.Values))
		case *pgproto3.CommandComplete:
			a.results = append(a.results, result)
			result = &pgconn.Result{}
		case *pgproto3.CopyInResponse:
			sent = make(chan struct{})
			go sendRows(pg.Conn(), rows, sent)
		case *pgproto3.CopyOutResponse:
			a.tables = append(a.tables, nil)
		case *pgproto3.CopyData:
			last := &a.tables[len(a.tables)-1]
			*last = append(*last, copyRow(string(m.Data)))
		case *pgproto3.NoticeResponse:
			a.notices = append(a.notices, notice{len(a.results), pgconn.ErrorResponseToPgError((*pgproto3.ErrorResponse)(m))})
		case *pgproto3.ErrorResponse:
			failed = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return failed, nil
		}
	}
}

// sendRows sends the rows for COPY ... FROM STDIN, while the answers are read: the server may have much to say meanwhile. After an error it
// takes the rest, and ignores it.
func sendRows(w io.Writer, rows string, sent chan<- struct{}) {
	defer close(sent)
	const size = 1 << 16
	var message []byte
	for len(rows) > 0 {
		part := rows[:min(size, len(rows))]
		rows = rows[len(part):]
		message, _ = (&pgproto3.CopyData{Data: []byte(part)}).Encode(message[:0]) // it fails for gigabytes only
		if _, err := w.Write(message); err != nil {
			return // the reader will see why
		}
	}
	message, _ = (&pgproto3.CopyDone{}).Encode(message[:0])
	_, _ = w.Write(message)
}

// cloned copies the values of a row, whose memory the next one takes.
func cloned(values [][]byte) [][]byte {
	row := make([][]byte, len(values))
	for i, value := range values {
		if value != nil {
			row[i] = append([]byte{}, value...)
		}
	}
	return row
}

// copyRow reads a row of COPY's text format:
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
func copyRow(line string) []*string {
	var columns []*string
	for field := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "\t") {
		if field == `\N` {
			columns = append(columns, nil)
			continue
		}
		field = unescape.Replace(field)
		columns = append(columns, &field)
	}
	return columns
}

// unescape undoes what COPY TO does to a text: it sends all other characters as they are.
var unescape = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\b`, "\b", `\f`, "\f", `\v`, "\v")
