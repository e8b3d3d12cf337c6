package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// table is what COPY ... TO STDOUT has sent: the columns of each row, nil for NULL.
type table [][]*string

// copyOut runs a message in which some statements are COPY ... TO STDOUT, and returns their tables. Pgx can do that for one
// statement at a time only, so this speaks the protocol itself: see
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
func (s *session) copyOut(ctx context.Context, message string) (tables []table, err error) {
	err = s.interruptible(ctx, func(ctx context.Context, pg *pgconn.PgConn) error {
		pg.Frontend().SendQuery(&pgproto3.Query{String: message})
		if err := pg.Frontend().Flush(); err != nil {
			return errors.Join(err, pg.Close(ctx))
		}
		// ReceiveMessage would start a goroutine for each row to watch a context that can end.
		unhook := context.AfterFunc(ctx, func() { _ = pg.Conn().SetDeadline(time.Now()) })
		defer unhook()
		var failed error
		for {
			answer, err := pg.ReceiveMessage(context.Background())
			if err != nil { // the answers that are left would be taken for those of the next statement
				return errors.Join(err, pg.Close(ctx))
			}
			switch answer := answer.(type) {
			case *pgproto3.CopyOutResponse:
				tables = append(tables, nil)
			case *pgproto3.CopyData:
				last := &tables[len(tables)-1]
				*last = append(*last, copyRow(string(answer.Data)))
			case *pgproto3.ErrorResponse:
				failed = pgconn.ErrorResponseToPgError(answer)
			case *pgproto3.ReadyForQuery:
				return failed
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("pgdbm: reading the histories: %w", err)
	}
	return tables, nil
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
