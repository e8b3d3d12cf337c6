package thirdparty_test

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5/stdlib"
)

// witness is a connection of plain pgx that was opened after a change and has prepared each statement that was executed until
// the next one, without executing any.
type witness struct {
	player
	known map[string]bool // texts
}

func newWitness(ctx context.Context, db *sql.DB, epoch int) (*witness, error) {
	w := &witness{player: player{db: db, opened: epoch}, known: make(map[string]bool)}
	var err error
	w.conn, err = db.Conn(ctx)
	return w, err
}

// note prepares a statement as it is now.
func (w *witness) note(ctx context.Context, s *step) {
	text := w.text(s.text, s.tenant)
	if w.known[text] || len(s.args) == 0 && s.form == asExec { // sent as it is, always
		return
	}
	w.known[text] = true
	_ = w.conn.Raw(func(driverConn any) error { // an error means that it is prepared later
		_, err := driverConn.(*stdlib.Conn).Conn().Prepare(ctx, text, text) // pgx uses it for this text from now on
		return err
	})
}

// replay executes the statements of a unit, of which the witness remembers only the one with index known, and returns the outcome of the
// one with index i. In a transaction it goes on to the end of the unit if whole is true.
func (w *witness) replay(ctx context.Context, u *unit, known, i int, whole bool) (outcome string) {
	if u.tx {
		if err := w.begin(ctx, u.tenant); err != nil {
			return err.Error()
		}
	}
	for j := range u.steps {
		s := &u.steps[j]
		switch {
		case j > i && !whole:
		case s.control != "":
			_, _ = w.on().ExecContext(ctx, s.control)
		default:
			got := ""
			if j == known {
				got = s.outcome(ctx, w.on(), w.text(s.text, s.tenant), s.tenant)
			} else {
				got = w.doAfresh(ctx, s)
			}
			if j == i {
				outcome = got
			}
		}
	}
	if u.tx {
		w.end(whole && u.commit, u.tenant)
	}
	return outcome
}
