package onetx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// query serves a Query message. Its statements are one transaction, unless they say where one begins and ends.
func (s *session) query(text string) error {
	steps, err := steps(text)
	if err != nil {
		s.send(errorOf(fmt.Errorf("pgdbm: fixtures.Isolated: looking for transaction control: %w", err)))
		return nil
	}
	for _, step := range steps {
		failed, err := s.step(step)
		if failed && err == nil && s.within && !s.inTx {
			return s.undo() // also if the error is ours, and the server knows nothing of it
		}
		if failed || err != nil {
			return err
		}
	}
	return nil
}

// step executes one step. After a failure the rest of the message is not executed.
func (s *session) step(step step) (failed bool, err error) {
	if s.server.status == 'E' && s.inTx && step.control == commits {
		step.control = rollsBack // as the server does
	}
	switch step.control {
	case begins:
		if s.server.status == 'E' {
			break // the server says what is wrong
		}
		return s.begin(step)
	case commits:
		return s.commit()
	case rollsBack:
		return s.rollBack()
	case setTransaction:
		return false, s.setTransaction(step)
	case impossible:
		s.send(errorOf(errors.New("pgdbm: fixtures.Isolated: two-phase commit and AND CHAIN are not possible here, where all is one " +
			"transaction; use fixtures.New for this test")))
		return true, nil
	case savepoint, needsBlock:
		if !s.inTx {
			what := strings.ToUpper(words(step.text)[0])
			s.send(errorOf(&pgconn.PgError{Code: "25P01", Message: what + " can only be used in transaction blocks"}))
			return true, nil
		}
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	if err := s.follow(tracesOf(step.text)); err != nil {
		return s.unless(err)
	}
	s.server.server.SendQuery(&pgproto3.Query{String: step.text})
	if err := s.server.server.Flush(); err != nil {
		return false, err
	}
	if err := s.server.receive(s.relay); err != nil {
		return false, err
	}
	return s.server.status == 'E', nil
}

// unless passes an error of the server's on to the client.
func (s *session) unless(err error) (failed bool, fatal error) {
	if !isPgError(err) {
		return false, err
	}
	s.send(errorOf(err))
	return true, nil
}

// relay passes a message on to the client, and the rows of a COPY to the server.
func (s *session) relay(msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.ErrorResponse:
		if slices.Contains(oneTransaction, m.Code) {
			m.Message += "; with fixtures.Isolated everything is in one transaction: use fixtures.New for this test"
		}
	case *pgproto3.ParseComplete:
		if s.parsedAgain {
			s.parsedAgain = false
			return nil
		}
	case *pgproto3.CopyInResponse:
		s.send(msg)
		s.flush()
		return s.copyIn()
	}
	s.send(msg)
	return nil
}

// oneTransaction are the errors of what needs a transaction of its own, or has to be committed before it can be used: active_sql_transaction,
// invalid_transaction_termination, unsafe_new_enum_value_usage.
var oneTransaction = []string{"25001", "2D000", "55P04"}

// copyIn passes rows on, until the client has no more.
func (s *session) copyIn() error {
	for {
		msg, err := s.receive()
		if err != nil {
			msg = &pgproto3.Terminate{}
		}
		switch msg.(type) {
		case *pgproto3.Flush, *pgproto3.Sync: // have no meaning here
			continue
		case *pgproto3.Terminate:
			s.gone = true
			msg = &pgproto3.CopyFail{Message: "the client has gone"}
		}
		s.server.server.Send(msg)
		if err := s.server.server.Flush(); err != nil {
			return err
		}
		if _, more := msg.(*pgproto3.CopyData); !more {
			return nil
		}
	}
}

func (s *session) begin(step step) (failed bool, err error) {
	if s.inTx {
		s.notice("25001", "there is already a transaction in progress")
	} else {
		if err := s.enter(); err != nil {
			return false, err
		}
		s.inTx, s.began = true, step.text
	}
	if step.readOnly {
		if err := s.readOnly(); err != nil {
			return s.unless(err)
		}
	}
	if words(step.text)[0] == "start" {
		s.complete("START TRANSACTION")
	} else {
		s.complete("BEGIN")
	}
	return false, nil
}

// readOnly makes the transaction one that cannot write, until the savepoint is released.
func (s *session) readOnly() error { return s.server.exec("SET LOCAL transaction_read_only = on") }

func (s *session) commit() (failed bool, err error) {
	if !s.inTx {
		s.notice("25P01", "there is no transaction in progress")
	}
	s.inTx = false
	if s.within {
		if err := s.keep(); err != nil {
			failed, err := s.unless(err)
			if err != nil {
				return false, err
			}
			return failed, s.undo()
		}
	}
	s.complete("COMMIT")
	return false, nil
}

func (s *session) rollBack() (failed bool, err error) {
	if !s.inTx {
		s.notice("25P01", "there is no transaction in progress")
	}
	s.inTx = false
	if s.within {
		if err := s.undo(); err != nil {
			return false, err
		}
	}
	s.complete("ROLLBACK")
	return false, nil
}

// setTransaction is SET TRANSACTION, of which only READ ONLY has a meaning here.
func (s *session) setTransaction(step step) error {
	if !s.inTx {
		s.notice("25P01", "SET TRANSACTION can only be used in transaction blocks")
	} else if step.readOnly {
		if err := s.readOnly(); err != nil {
			_, err := s.unless(err)
			return err
		}
	}
	s.complete("SET")
	return nil
}

func (s *session) complete(tag string) { s.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)}) }

func (s *session) notice(code, message string) {
	s.send(&pgproto3.NoticeResponse{Severity: "WARNING", SeverityUnlocalized: "WARNING", Code: code, Message: message})
}
