package onetx

import (
	"errors"
	"fmt"
	"math"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// session is a client's connection.
type session struct {
	tx     *Tx
	conn   net.Conn
	client *pgproto3.Backend
	out    *outbox
	secret []byte
	server *Conn // the shared one

	names  map[string]string // of prepared statements: the client's to the server's
	leaves map[string]traces // of prepared statements, by the client's name

	parse       []byte // the message that has made the unnamed one
	parsedAgain bool   // that the client knows nothing of

	inTx      bool
	began     string // the statement that began the transaction
	gone      bool   // the client, in the middle of a COPY
	within    bool   // there is a savepoint of ours
	declared  bool
	tables    []string          // that are ON COMMIT DROP
	keeps     bool              // something that ends with the session
	restore   map[string]string // settings to set back, with SQL literals
	cancelled bool              // while it waits; turn's mutex guards it
	woken     chan struct{}     // to look again whether it is its turn
}

func newSession(tx *Tx, conn net.Conn) *session {
	out := newOutbox(conn)
	return &session{tx: tx, conn: conn, out: out, client: pgproto3.NewBackend(conn, out), secret: secret(),
		woken: make(chan struct{}, 1), names: map[string]string{}, leaves: map[string]traces{}, restore: map[string]string{}}
}

// run returns when the client has gone, or when the server has.
func (s *session) run() {
	defer func() { _ = s.conn.Close() }()
	err := s.start()
	if err == nil && s.server != nil {
		err = s.serve()
	}
	if err != nil {
		s.send(errorResponse("FATAL", err))
		s.flush()
	}
	s.out.close()
	<-s.out.done
}

// start answers until the client has a session. Without one (a cancel request, or nobody) server stays nil.
func (s *session) start() error {
	for {
		msg, err := s.client.ReceiveStartupMessage()
		if err != nil {
			return nil // it has gone
		}
		switch m := msg.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			_, _ = s.out.Write([]byte{'N'}) // never fails
		case *pgproto3.CancelRequest:
			s.tx.cancel(m)
			return nil
		case *pgproto3.StartupMessage:
			return s.welcome(m.Parameters)
		default:
			return fmt.Errorf("pgdbm: fixtures.Isolated: an unexpected message %T", m)
		}
	}
}

func (s *session) welcome(params map[string]string) error {
	for _, name := range []string{"user", "database"} {
		delete(params, name) // there is one of each
	}
	server, err := s.tx.begin(params)
	if err != nil {
		return err
	}
	s.server = server
	s.send(&pgproto3.AuthenticationOk{})
	for name, value := range server.report {
		s.send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	s.send(&pgproto3.BackendKeyData{ProcessID: server.pid, SecretKey: s.secret})
	s.ready()
	return nil
}

// serve serves a group of messages after the other: a Query, or all up to a Sync.
func (s *session) serve() error {
	defer s.leave()
	for {
		msg, err := s.client.Receive()
		if err != nil {
			return nil // it has gone
		}
		switch m := msg.(type) {
		case *pgproto3.Terminate:
			return nil
		case *pgproto3.Sync:
			s.ready()
			continue
		case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
			continue // of a COPY that has failed at once; a server ignores them too
		case *pgproto3.Query:
			err = s.inTurn(m, func() error { return s.query(m.String) })
		default:
			err = s.inTurn(msg, func() error { return s.extended(msg) })
		}
		if err != nil {
			return err
		}
		s.ready()
	}
}

// inTurn calls fn when it is the session's turn. If that cannot be, the client gets an error, and the session goes on.
func (s *session) inTurn(first pgproto3.FrontendMessage, fn func() error) error {
	if err := s.tx.turn.take(s, Patience); err != nil {
		if errors.Is(err, errEnded) {
			return err
		}
		return s.refuse(first, err)
	}
	defer s.tx.turn.rest(s)
	if !s.inTx {
		s.began = "a COPY or a pipeline"
	}
	err := fn()
	if err == nil {
		err = s.endGroup()
	}
	if err == nil && s.gone {
		err = errGone
	}
	if err == nil && s.server.status == 'I' {
		err = errors.New("pgdbm: fixtures.Isolated: a statement has ended the transaction that all share, in a way that was not foreseen")
	}
	if err != nil && !errors.Is(err, errGone) {
		s.tx.fail(err)
	}
	return err
}

// errGone says that the client has gone in the middle of a group.
var errGone = errors.New("the client has gone")

// refuse answers a group with an error.
func (s *session) refuse(first pgproto3.FrontendMessage, reason error) error {
	if _, ok := first.(*pgproto3.Query); !ok {
		if err := s.skipToSync(); err != nil {
			return err
		}
	}
	s.send(errorResponse("ERROR", reason))
	return nil
}

func (s *session) skipToSync() error {
	for {
		msg, err := s.client.Receive()
		if err != nil {
			return errGone
		}
		switch msg.(type) {
		case *pgproto3.Sync:
			return nil
		case *pgproto3.Terminate:
			return errGone
		}
	}
}

// leave takes away what the session has, when its client has gone: as on a server, where the session ends.
func (s *session) leave() {
	const forever = math.MaxInt64
	if s.tx.turn.take(s, forever) != nil {
		return // all goes
	}
	defer s.tx.turn.rest(s)
	if err := s.cleanUp(); err != nil {
		s.tx.fail(err)
	}
}

func (s *session) cleanUp() error {
	s.inTx = false
	if s.within {
		if err := s.undo(); err != nil {
			return err
		}
	}
	for _, name := range s.names {
		s.server.server.Send(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	if !s.keeps { // others may, and it would take that away
		s.server.server.Send(&pgproto3.Sync{})
		if err := s.server.server.Flush(); err != nil {
			return err
		}
		_, err := s.server.answer()
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	const endOfSession = "RESET ALL; RESET SESSION AUTHORIZATION; CLOSE ALL; DISCARD TEMP; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all()"
	if err := s.server.exec(endOfSession); err != nil && s.server.status != 'E' {
		return err
	}
	return s.endGroup()
}

// wake makes the session look again whether it is its turn.
func (s *session) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// receive returns the next message of a group. Whoever waits for the session's turn need not wait for ever if none comes.
func (s *session) receive() (pgproto3.FrontendMessage, error) {
	s.tx.turn.pause()
	defer s.tx.turn.resume()
	return s.client.Receive()
}

func (s *session) send(msg pgproto3.BackendMessage) { s.client.Send(msg) }

func (s *session) flush() { _ = s.client.Flush() } // to the outbox, which takes everything

// ready tells the client the state of its transaction, which is not the server's.
func (s *session) ready() {
	status := byte('I')
	if s.inTx {
		status = s.server.status
	}
	s.send(&pgproto3.ReadyForQuery{TxStatus: status})
	s.flush()
}

// errorResponse is an error as the server sends it.
func errorResponse(severity string, err error) *pgproto3.ErrorResponse {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: pgErr.Code, Message: pgErr.Message,
			Detail: pgErr.Detail, Hint: pgErr.Hint, SchemaName: pgErr.SchemaName, TableName: pgErr.TableName, ColumnName: pgErr.ColumnName,
			DataTypeName: pgErr.DataTypeName, ConstraintName: pgErr.ConstraintName, Where: pgErr.Where}
	}
	code := "0A000" // feature_not_supported
	var overlaps *overlap
	switch {
	case errors.Is(err, errCancelled):
		code = "57014" // query_canceled
	case errors.As(err, &overlaps):
		code = "25001" // active_sql_transaction
	case severity == "FATAL":
		code = "08006" // connection_failure
	}
	return &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: err.Error()}
}
