package schemadb_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// kinds is a row with a column of each kind, as Go has them.
type kinds struct {
	ID       int64
	Small    *int16
	Double   sql.NullFloat64
	Price    string
	Exact    pgtype.Numeric
	Name     *string
	Raw      []byte
	Flag     bool
	Day      time.Time
	At       time.Time
	Took     pgtype.Interval
	Key      string
	Document map[string]any
	Tags     []string
	Numbers  []int32
	Span     pgtype.Range[int32]
	Mood     *string
}

const kindsTable = `CREATE TYPE {{schema}}.mood AS ENUM ('sad', 'happy');
	CREATE TABLE {{tables.kinds}} (id bigint PRIMARY KEY, small int2, double float8, price numeric DEFAULT 1.50,
		exact numeric(20,4) DEFAULT 12.3456, name text, raw bytea DEFAULT '\x00ff', flag bool DEFAULT true,
		day date DEFAULT '2024-02-29', at timestamptz DEFAULT '2024-02-29 12:00:00.123456+03', took interval DEFAULT '1 mon 2 s',
		key uuid DEFAULT '6ba7b810-9dad-11d1-80b4-00c04fd430c8', document jsonb DEFAULT '{"a": [1, null]}', tags text[] DEFAULT '{a,"b,c"}',
		numbers int4[] DEFAULT '{1,2}', span int4range DEFAULT '[1,5)', mood {{schema}}.mood DEFAULT 'sad');
	INSERT INTO {{tables.kinds}} (id) SELECT generate_series(1, 4);
	UPDATE {{tables.kinds}} SET small = 7, double = 'NaN', name = 'Größe' WHERE id % 2 = 0`

// readings are ways to read, with an argument; each returns all that the caller can see.
var readings = map[string]func(t *testing.T, q schemadb.Querier, arg any) string{
	"Select": func(t *testing.T, q schemadb.Querier, arg any) string {
		var all []kinds
		err := q.SelectContext(t.Context(), &all, "SELECT * FROM {{tables.kinds}} WHERE id > $1 ORDER BY id", arg)
		return show(all, err)
	},
	"Get": func(t *testing.T, q schemadb.Querier, arg any) string {
		var one kinds
		err := q.GetContext(t.Context(), &one, "SELECT id, at, mood, price FROM {{tables.kinds}} WHERE id = $1", arg)
		return show([]kinds{one}, err)
	},
	"Collect": func(t *testing.T, q schemadb.Querier, arg any) string {
		all, err := schemadb.Collect[any](t.Context(), q, "SELECT price FROM {{tables.kinds}} WHERE id <> $1", arg)
		return fmt.Sprintf("%#v %v", all, err)
	},
	"Value": func(t *testing.T, q schemadb.Querier, arg any) string {
		at, err := schemadb.Value[time.Time](t.Context(), q, "SELECT at FROM {{tables.kinds}} WHERE id = $1", arg)
		return fmt.Sprint(at, at.Location(), err)
	},
	"Each": func(t *testing.T, q schemadb.Querier, arg any) (seen string) {
		for row, err := range schemadb.Each[kinds](t.Context(), q, "SELECT id, 6 / (id - 3) AS small FROM {{tables.kinds}} WHERE id <> $1 ORDER BY id", arg) {
			seen += show([]kinds{row}, err)
		}
		return seen
	},
	"write": func(t *testing.T, q schemadb.Querier, arg any) string {
		one, err := schemadb.One[kinds](t.Context(), q, "UPDATE {{tables.kinds}} SET small = 3 WHERE id = $1 RETURNING *", arg)
		return show([]kinds{one}, err)
	},
	"Exec": func(t *testing.T, q schemadb.Querier, arg any) string {
		result, err := q.ExecContext(t.Context(), "UPDATE {{tables.kinds}} SET mood = 'happy' WHERE id > $1", arg)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(result.RowsAffected())
	},
	"Named": func(t *testing.T, q schemadb.Querier, arg any) string {
		rows, err := q.NamedQueryContext(t.Context(), "SELECT * FROM {{tables.kinds}} WHERE id = :id", map[string]any{"id": arg})
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		seen := ""
		for rows.Next() {
			var row kinds
			seen += show([]kinds{row}, rows.StructScan(&row))
		}
		return seen + fmt.Sprint(rows.Err())
	},
	"missing": func(t *testing.T, q schemadb.Querier, arg any) string {
		_, err := schemadb.Value[int](t.Context(), q, "SELECT missing FROM {{tables.kinds}} WHERE id = $1", arg)
		return fmt.Sprint(err)
	},
}

func show(rows []kinds, err error) string {
	seen := fmt.Sprint(err)
	for _, r := range rows {
		seen += fmt.Sprintf("\n%d %v %v %v %s %v %v %v %v %v %v %v %v %q %v %v %v", r.ID, deref(r.Small), r.Double, r.Price, valueOf(r.Exact),
			deref(r.Name), r.Raw, r.Flag, r.Day, r.At, r.Took, r.Key, r.Document, r.Tags, r.Numbers, r.Span, deref(r.Mood))
	}
	return seen
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func valueOf(n pgtype.Numeric) string {
	v, err := n.Value()
	return fmt.Sprint(v, err)
}

// Whatever path a statement takes behind the facade, it reads the same as on plain pgx.
func TestPathsReadTheSame(t *testing.T) {
	t.Parallel()
	for way, option := range map[string]string{
		"hot": "", "cold": "&statement_cache_capacity=1", "describe": "&default_query_exec_mode=cache_describe",
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			plain := schemadb.New(openAs(t, "pgx", dsn), "a")
			pool := openAs(t, "pgdbm", dsn+option)
			pool.SetMaxOpenConns(1)
			ours := schemadb.New(pool, "a")
			if err := plain.EnsureSchema(t.Context()); err != nil {
				t.Fatal(err)
			}
			exec(t, plain, kindsTable)
			for range 100 { // it takes the only place in a cache of one
				value[int](t, ours, "SELECT 1 WHERE 1 = $1", 1)
			}
			before, err := driver.StatsOf(t.Context(), pool)
			if err != nil {
				t.Fatal(err)
			}
			args := []any{0, 2, int64(3), "2", 99, nil, "x", 1.5}
			for range 10 {
				for name, read := range readings {
					arg := args[rand.IntN(len(args))]
					want, got := read(t, plain, arg), read(t, ours, arg)
					if got != want {
						t.Errorf("%s %#v\npgx:   %s\npgdbm: %s", name, arg, want, got)
					}
					wantTx, gotTx := readInTx(t, plain, read, arg), readInTx(t, ours, read, arg)
					if gotTx != wantTx {
						t.Errorf("%s %#v in a transaction\npgx:   %s\npgdbm: %s", name, arg, wantTx, gotTx)
					}
				}
			}
			after, err := driver.StatsOf(t.Context(), pool)
			if err != nil || after.OneShots == before.OneShots != (way == "hot") {
				t.Errorf("%+v, %v", after, err)
			}
		})
	}
}

func readInTx(t *testing.T, db *schemadb.DB, read func(*testing.T, schemadb.Querier, any) string, arg any) string {
	tx, err := db.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	return read(t, tx, arg) + fmt.Sprint(schemadb.Value[int](t.Context(), tx, "SELECT 1 WHERE 1 = $1", 1))
}
