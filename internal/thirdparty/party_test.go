package thirdparty_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// partyVariable makes the test binary the third party: it does what it reads from its standard input.
const partyVariable = "PGDBM_TEST_THIRD_PARTY"

// partyName is the application_name of its sessions.
const partyName = "third_party"

// job is SQL for the third party to execute in some databases.
type job struct {
	DSNs []string
	SQL  string
}

// done is the answer: an error for each of the databases, or "".
type done struct{ Errors []string }

// serve is the third party.
func serve(in io.Reader, out io.Writer) int {
	conns := make(map[string]*pgconn.PgConn)
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var j job
		if err := requests.Decode(&j); err != nil {
			return 0 // the test has ended
		}
		for _, dsn := range j.DSNs {
			if c := conns[dsn]; c == nil || c.IsClosed() {
				conns[dsn] = connectParty(dsn)
			}
		}
		d := done{Errors: make([]string, len(j.DSNs))}
		var all sync.WaitGroup
		for i, dsn := range j.DSNs {
			all.Go(func() { d.Errors[i] = executeText(conns[dsn], j.SQL) })
		}
		all.Wait()
		if err := answers.Encode(d); err != nil {
			return 1
		}
	}
}

func connectParty(dsn string) *pgconn.PgConn {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil
	}
	config.RuntimeParams["application_name"] = partyName
	config.RuntimeParams["lock_timeout"] = "10s" // it would be a fault of the test
	c, err := pgconn.ConnectConfig(context.Background(), config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the third party cannot connect:", err)
	}
	return c
}

func executeText(c *pgconn.PgConn, sql string) string {
	if c == nil {
		return "not connected"
	}
	if _, err := c.Exec(context.Background(), sql).ReadAll(); err != nil {
		return err.Error()
	}
	return ""
}

// party is the third party as the test sees it.
type party struct {
	requests *json.Encoder
	answers  *json.Decoder
}

func startParty(t *testing.T) *party {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), partyVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the context of the test has killed it, or the end of its input has ended it
	})
	return &party{requests: json.NewEncoder(in), answers: json.NewDecoder(bufio.NewReader(out))}
}

// do lets the third party execute SQL, as one transaction, in each of the databases.
func (p *party) do(sql string, dsns ...string) ([]string, error) {
	if err := p.requests.Encode(job{DSNs: dsns, SQL: sql}); err != nil {
		return nil, err
	}
	var d done
	if err := p.answers.Decode(&d); err != nil {
		return nil, fmt.Errorf("the third party does not answer: %w", err)
	}
	return d.Errors, nil
}

// connectAdmin opens a connection of the test's own, which remembers nothing.
func connectAdmin(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = partyName // not to be killed
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
