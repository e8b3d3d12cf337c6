package onetx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgproto3"
)

// group is what a client sends up to a Sync, for the server.
type group struct {
	messages []byte
	found    traces
	parsed   bool // the unnamed statement, in the group
}

// extended serves the messages of the extended protocol up to a Sync.
func (s *session) extended(first pgproto3.FrontendMessage) error {
	var g group
	s.parsedAgain = false
	refusal, err := s.gather(&g, first)
	if err != nil {
		return err
	}
	if refusal != nil {
		s.send(errorOf(refusal))
		return nil
	}
	if len(g.messages) == 0 {
		return nil
	}
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.follow(g.found); err != nil {
		_, err := s.unless(err)
		return err
	}
	return s.exchange(g.messages)
}

// exchange sends messages and passes the answers on. It sends beside, because the server may wait until somebody takes its
// answers before it reads on.
func (s *session) exchange(messages []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := s.server.conn.Write(messages)
		sent <- err
	}()
	err := s.server.receive(func(msg pgproto3.BackendMessage) error {
		if _, ok := msg.(*pgproto3.CopyInResponse); ok {
			return s.refuseCopy(sent)
		}
		return s.relay(msg)
	})
	if err != nil {
		_ = s.server.conn.Close() // ends the sending too
	}
	return err
}

// refuseCopy fails a COPY FROM STDIN whose rows were to come after the Sync, which the server ignores in that state.
func (s *session) refuseCopy(sent <-chan error) error {
	if err := <-sent; err != nil {
		return err
	}
	s.server.server.Send(&pgproto3.CopyFail{Message: "COPY FROM STDIN as a prepared statement; use pgx's CopyFrom"})
	s.server.server.Send(&pgproto3.Sync{})
	return s.server.server.Flush()
}

// gather reads messages up to a Sync. A refusal is for the client, and nothing is sent to the server then.
func (s *session) gather(g *group, msg pgproto3.FrontendMessage) (refusal, err error) {
	for {
		if _, ok := msg.(*pgproto3.Terminate); ok {
			return nil, errGone
		}
		if refusal == nil {
			refusal = s.translate(msg, &g.found)
		}
		if err := s.unnamed(g, msg); err != nil {
			return nil, err
		}
		if g.messages, err = msg.Encode(g.messages); err != nil {
			return nil, fmt.Errorf("pgdbm: fixtures.Isolated: encoding a message: %w", err)
		}
		switch msg.(type) {
		case *pgproto3.Sync:
			return refusal, nil
		case *pgproto3.Flush: // the client waits for an answer
			s.send(errorOf(errFlush))
			s.flush()
			s.tx.turn.pause()
			defer s.tx.turn.resume()
			g.messages = nil
			return nil, s.skipToSync()
		}
		if msg, err = s.receive(); err != nil {
			return nil, errGone
		}
	}
}

var (
	errFlush   = errors.New("pgdbm: fixtures.Isolated: a Flush message; end the pipeline with a Sync, or use fixtures.New for this test")
	errControl = errors.New("pgdbm: fixtures.Isolated: a prepared statement that begins or ends a transaction; use BeginTx, or a statement " +
		"without arguments, or fixtures.New for this test")
)

// translate gives prepared statements names of their own: other clients may have the same. It notes what they may leave.
func (s *session) translate(msg pgproto3.FrontendMessage, found *traces) (refusal error) {
	switch m := msg.(type) {
	case *pgproto3.Parse:
		if control := stepOfText(m.Query).control; control != plain && (control != savepoint || !s.inTx) {
			return errControl
		}
		leaves := tracesOf(m.Query)
		s.leaves[m.Name] = leaves
		found.merge(leaves)
		m.Name = s.serverName(m.Name)
	case *pgproto3.Bind:
		found.merge(s.leaves[m.PreparedStatement])
		m.PreparedStatement = s.serverName(m.PreparedStatement)
	case *pgproto3.Describe:
		if m.ObjectType == 'S' {
			m.Name = s.serverName(m.Name)
		}
	case *pgproto3.Close:
		if m.ObjectType == 'S' {
			name := m.Name
			m.Name = s.serverName(name)
			delete(s.names, name)
			delete(s.leaves, name)
		}
	}
	return nil
}

// unnamed keeps the Parse of the unnamed statement, and puts it before a group that only binds it: our savepoint, which is a Query message,
// has taken the statement away.
func (s *session) unnamed(g *group, msg pgproto3.FrontendMessage) (err error) {
	switch m := msg.(type) {
	case *pgproto3.Parse:
		if m.Name == "" {
			g.parsed = true
			s.parse, err = m.Encode(nil)
		}
	case *pgproto3.Bind:
		if m.PreparedStatement == "" && !g.parsed && s.parse != nil {
			g.messages = slices.Concat(s.parse, g.messages)
			g.parsed, s.parsedAgain = true, true
		}
	}
	return err
}

// serverName returns the server's name for a client's prepared statement.
func (s *session) serverName(name string) string {
	if name == "" {
		return ""
	}
	theirs, ok := s.names[name]
	if !ok {
		s.server.statement++
		theirs = fmt.Sprintf("isolated_%d", s.server.statement)
		s.names[name] = theirs
	}
	return theirs
}
