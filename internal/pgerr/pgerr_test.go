package pgerr_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/internal/pgerr"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// What each error of the real server tells.
func TestErrors(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	pg := conn.PgConn()
	exec := func(sql string) error {
		_, err := pg.Exec(t.Context(), sql).ReadAll()
		return err
	}
	if err := exec(`CREATE TABLE t (a int); CREATE FUNCTION f(x text) RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE x; RETURN 1; END'`); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Prepare(t.Context(), "p", "SELECT * FROM t", nil); err != nil {
		t.Fatal(err)
	}
	prepared := func(name string) error {
		return pg.ExecPrepared(t.Context(), name, nil, nil, nil).Read().Err
	}
	if err := prepared("p"); err != nil {
		t.Fatal(err)
	}
	if err := exec("ALTER TABLE t ADD b int"); err != nil {
		t.Fatal(err)
	}
	params := func(sql, value string, oid uint32, formats ...int16) error {
		return pg.ExecParams(t.Context(), sql, [][]byte{[]byte(value)}, []uint32{oid}, nil, formats).Read().Err
	}
	const none, changed, unrun, gone, group = 0, 1, 2, 4, 8
	for what, test := range map[string]struct {
		err  error
		want int
	}{
		"changed":                {prepared("p"), changed},
		"gone":                   {prepared("p2"), gone},
		"EXECUTE of another":     {exec("EXECUTE x"), none},
		"no operator":            {params("SELECT 1 FROM t WHERE a = $1", "x", pgtype.TextOID), unrun},
		"value":                  {params("SELECT 1 FROM t WHERE a = $1", "x", pgtype.Int4OID), unrun},
		"formats":                {params("SELECT a, $1 FROM t", "1", pgtype.Int4OID, 0, 0, 0), unrun},
		"division":               {params("SELECT 1 / $1", "0", pgtype.Int4OID), none},
		"operator in a function": {params("SELECT f($1)", "SELECT 1 FROM t WHERE a = 'x'::text", pgtype.TextOID), none},
		"VACUUM":                 {exec("SELECT 1; VACUUM t"), group},
		"VACUUM in a function":   {exec("SELECT f('VACUUM t')"), none},
	} {
		var pgErr *pgconn.PgError
		if !errors.As(test.err, &pgErr) {
			t.Errorf("%s: %v", what, test.err)
			continue
		}
		got := 0
		for bit, is := range map[int]bool{changed: pgerr.HasChanged(pgErr), unrun: pgerr.RefusedUnrun(pgErr), gone: pgerr.IsGone(pgErr, "p"), group: pgerr.RefusesGroup(test.err)} {
			if is {
				got |= bit
			}
		}
		if got != test.want {
			t.Errorf("%s: %d, want %d: %+v", what, got, test.want, pgErr)
		}
	}
}
