package migrations_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// These variables make the test binary a program that migrates: the job, and where.
const (
	childVariable   = "PGDBM_MIGRATIONS_CHILD"
	dsnVariable     = "PGDBM_MIGRATIONS_DSN"
	schemasVariable = "PGDBM_MIGRATIONS_SCHEMAS" // with commas
)

// childJobs are what a child can do.
var childJobs = map[string]func(ctx context.Context, pool *sql.DB, schemas []string) error{
	"mixed": func(ctx context.Context, pool *sql.DB, schemas []string) error {
		return applyJob(ctx, pool, schemas, mixed())
	},
	"twenty": func(ctx context.Context, pool *sql.DB, schemas []string) error {
		return applyJob(ctx, pool, schemas, everyFile())
	},
	"orphan-table": func(ctx context.Context, pool *sql.DB, schemas []string) error {
		return applyJob(ctx, pool, schemas, []string{"001_a.sql", orphans["table"].file})
	},
	"orphan-index": func(ctx context.Context, pool *sql.DB, schemas []string) error {
		return applyJob(ctx, pool, schemas, []string{"001_a.sql", orphans["index"].file})
	},
}

func applyJob(ctx context.Context, pool *sql.DB, schemas, files []string) error {
	_, err := migrations.ApplyAll(ctx, pool, sqlFiles(files...), slices.Values(schemas), quiet, module, migrations.Parallel(3),
		migrations.Go(90, "go", childMark, nil))
	return err
}

func childMark(ctx context.Context, tx *schemadb.Tx) error { return addMark("go")(ctx, tx) }

// runChild does the job when its parent closes its standard input.
func runChild(job string) int {
	pool, err := sql.Open("pgdbm", os.Getenv(dsnVariable)+"&application_name=runs")
	if err == nil {
		pool.SetMaxOpenConns(4)
		fmt.Println("ready")
		if _, err = io.Copy(io.Discard, os.Stdin); err == nil {
			err = childJobs[job](context.Background(), pool, strings.Split(os.Getenv(schemasVariable), ","))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is a process that migrates.
type child struct {
	*exec.Cmd
	begin  io.Closer
	stderr strings.Builder
}

// child starts a process and waits until it is ready.
func (l *lab) child(job string, schemas []string) *child {
	l.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), childVariable+"="+job, dsnVariable+"="+l.dsn, schemasVariable+"="+strings.Join(schemas, ","))
	c.Stderr = &c.stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		l.Fatal(err)
	}
	c.begin = stdin
	stdout, err := c.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	if err := c.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(c.kill)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		c.kill()
		l.Fatalf("the child says %q, %v: %s", line, err, c.stderr.String())
	}
	return c
}

// kill ends the process as kill -9 does, and waits for its end.
func (c *child) kill() {
	if c.ProcessState == nil {
		c.Process.Kill() // it may have ended
		c.Wait()         // it was killed
	}
}

// ends waits for the end of the process, which has to succeed.
func (c *child) ends(t *testing.T) {
	t.Helper()
	if err := c.Wait(); err != nil {
		t.Fatalf("a child: %v\n%s", err, c.stderr.String())
	}
}
