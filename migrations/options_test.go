package migrations_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	db := schemadb.New(openAs(t, "pgx", "postgres://nowhere.invalid/x"), "app")
	for text, option := range map[string]migrations.Option{
		"an Option is nil":                     nil,
		`Module(""): a module's name has 1 to`: migrations.Module(""),
		"1 to 100 characters":                  migrations.Module(strings.Repeat("ä", 101)),
		"NUL":                                  migrations.Module("a\x00"),
		"not UTF-8":                            migrations.Module("a\xff"),
		"Logger(nil)":                          migrations.Logger(nil),
		"LockTimeout(-1ns, 0)":                 migrations.LockTimeout(-1, 0),
		"LockTimeout(1µs, 0)":                  migrations.LockTimeout(time.Microsecond, 0),
		"LockTimeout(1s, -1)":                  migrations.LockTimeout(time.Second, -1),
		"StatementTimeout(-1s)":                migrations.StatementTimeout(-time.Second),
		"StatementTimeout(1µs)":                migrations.StatementTimeout(time.Microsecond),
		"WaitLimit(-1s)":                       migrations.WaitLimit(-time.Second),
		"SharedHistory":                        migrations.SharedHistory(""),
		"pg_x":                                 migrations.SharedHistory("pg_x"),
		"Parallel(0)":                          migrations.Parallel(0),
		"option Parallel is for ApplyAll":      migrations.Parallel(1),
		"option Progress is for ApplyAll":      migrations.Progress(func(migrations.Report) {}),
		"option StopOnError is for ApplyAll":   migrations.StopOnError(),
		"versions begin at 0":                  migrations.Go(-1, "fn", nothing, nil),
		"needs a name":                         migrations.Go(7, "", nothing, nil),
		"letters, digits and _":                migrations.Go(7, "a/b", nothing, nil),
		"the function is nil":                  migrations.Go(7, "fn", nil, nothing),
		"version 1 is that of":                 migrations.Go(1, "fn", nothing, nil),
	} {
		m, err := migrations.New(db, three.fs(), option)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error is %v", text, err)
		}
	}
	for _, option := range []migrations.Option{migrations.Module(strings.Repeat("ä", 100)), migrations.LockTimeout(0, 3), migrations.LockTimeout(time.Millisecond, 0),
		migrations.StatementTimeout(0), migrations.WaitLimit(0), migrations.DependsOn(), migrations.Before(nil), migrations.After(nil)} {
		if _, err := migrations.New(db, three.fs(), option); err != nil {
			t.Error(err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	if _, err := migrations.New(nil, three.fs()); err == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") {
		t.Errorf("no facade: the error is %v", err)
	}
	db := schemadb.New(openAs(t, "pgx", "postgres://nowhere.invalid/x"), "app")
	if _, err := migrations.New(db, nil); !errors.Is(err, migrations.ErrNoMigrations) {
		t.Errorf("no files: the error is %v", err)
	}
	if _, err := migrations.New(db, files{"1_a.sql": "SELECT 1; COMMIT;", "nonsense.sql": "", "2_b.sql": ""}.fs()); err == nil {
		t.Error("no error")
	} else {
		for _, file := range []string{"1_a.sql", "nonsense.sql", "2_b.sql"} {
			wantTexts(t, err, "pgdbm: "+file)
		}
	}
}

// TestSchemaThatCannotBe has a facade whose schema no run can be in.
func TestSchemaThatCannotBe(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for _, schema := range []string{"pg_x", strings.Repeat("ä", 32), "$user", "{{x}}"} {
		m := migrator(t, schemadb.New(pool, schema), three)
		if _, err := m.Apply(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") {
			t.Errorf("%s: the error is %v", schema, err)
		}
		if _, err := m.Status(t.Context()); err == nil {
			t.Errorf("%s: no error", schema)
		}
	}
}

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	db := schemadb.New(openAs(t, "pgx", dsn+"&statement_timeout=12345"), "app")
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} (what text)", "2_b.sql": "INSERT INTO {{tables.a}} VALUES (current_setting('statement_timeout'))"}
	apply(t, db, f)
	apply(t, db, f.with("3_c.sql", "INSERT INTO {{tables.a}} VALUES (current_setting('statement_timeout'))"), migrations.StatementTimeout(90*time.Second))
	want(t, "limits", query(t, db.Pool(), "SELECT what FROM app.a"), "0\n90s")
	want(t, "the pool's", query(t, db.Pool(), "SHOW statement_timeout"), "12345ms")
	_, err := migrator(t, db, f.with("3_c.sql", "SELECT 1").with("4_d.sql", "SELECT pg_sleep(60)"), migrations.StatementTimeout(time.Millisecond),
		migrations.AllowChanged()).Apply(t.Context())
	wantTexts(t, err, "4_d.sql:1:1", "57014")
}
