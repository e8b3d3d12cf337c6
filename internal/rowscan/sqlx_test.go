package rowscan_test

import (
	"database/sql"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jmoiron/sqlx"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

type (
	timestamps struct {
		CreatedAt time.Time  `db:"created_at"`
		DeletedAt *time.Time `db:"deleted_at"`
	}
	status  string
	account struct {
		ID     int64
		Status status
		timestamps
		Balance  string
		Settings json.RawMessage
		Avatar   []byte
	}
	profile struct {
		Bio   sql.NullString
		Views *int32
		Rank  sql.Null[float64]
		UUID  pgtype.UUID
		Any   any
		Any2  *any
	}
	owner struct {
		Account account
		Profile *profile
		*Audit
		Note string `db:"the_note"`
	}
	shadow struct { // the outer Name wins
		city
		Name string
	}
	twice struct {
		A struct{ ID int } `db:"a"`
		B struct{ ID int } `db:"b"`
	}
	odd struct {
		Upper  int8    `db:"Upper Case"`
		Small  uint8   `db:"small"`
		Float  float32 `db:"float"`
		Text   string  `db:"text"`
		Bool   bool    `db:"bool"`
		Number float64 `db:"number"`
	}
)

// same compares the rows with those of sqlx.
func same[T any](t *testing.T, conn *pgx.Conn, db *sqlx.DB, unsafe bool, query string) {
	t.Helper()
	var want []T
	if unsafe {
		db = db.Unsafe()
	}
	if err := db.Select(&want, query); err != nil {
		t.Errorf("%s: sqlx: %v", query, err)
		return
	}
	got, err := scan[T](conn, rowscan.Options{Unsafe: unsafe}, query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	if !equal(reflect.ValueOf(got), reflect.ValueOf(want)) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", query, got, want)
	}
	var slice []T
	if err := selectAll(conn, &slice, query); !unsafe && (err != nil || !equal(reflect.ValueOf(slice), reflect.ValueOf(want))) {
		t.Errorf("%s: by reflection: got  %+v, %v\nwant %+v", query, slice, err, want)
	}
}

func TestLikeSqlx(t *testing.T) {
	t.Parallel()
	const accounts = `SELECT i AS id, 'new' AS status, '2024-01-02 03:04:05.678+00'::timestamptz AS created_at,
		CASE i WHEN 1 THEN '2024-01-02'::date END AS deleted_at, 1.500::numeric AS balance, '{"a": [1, null]}'::jsonb AS settings,
		CASE i WHEN 2 THEN '\x00ff'::bytea END AS avatar FROM generate_series(1, 3) i`
	const profiles = `SELECT CASE i WHEN 1 THEN 'b' END AS bio, nullif(i, 2) AS views, 1.5::float4 * i AS rank,
		'550e8400-e29b-41d4-a716-446655440000'::uuid AS uuid, CASE i WHEN 1 THEN now() - now() END AS any,
		i::float8 AS any2 FROM generate_series(1, 3) i`
	const owners = `SELECT 1 AS "account.id", 'x' AS "account.status", 'b' AS "profile.bio", i AS "profile.views", 'a' AS author,
		'n' AS the_note, timestamp '2024-01-01' AS "account.created_at" FROM generate_series(1, 3) i`
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		conn, pool := connect(t, server.Database(t), mode, nil)
		db := sqlx.NewDb(pool, "pgx")
		same[account](t, conn, db, false, accounts)
		same[*account](t, conn, db, false, accounts)
		same[account](t, conn, db, true, `SELECT *, 1 AS more, 'x' AS status FROM (`+accounts+`) a`)
		same[profile](t, conn, db, false, profiles)
		same[owner](t, conn, db, false, owners)
		same[*owner](t, conn, db, false, owners)
		same[shadow](t, conn, db, false, `SELECT 'a' AS name, 'z' AS zip`)
		same[twice](t, conn, db, false, `SELECT 1 AS "a.id", 2 AS "b.id"`)
		same[odd](t, conn, db, false, `SELECT 127 AS "Upper Case", '255' AS small, 0.1::float4 AS float, 7 AS text, 1 AS bool, '1e3' AS number`)
		same[int](t, conn, db, false, `SELECT i FROM generate_series(1, 20) i`)
		same[*string](t, conn, db, false, `VALUES ('a'), ('b')`)
		same[sql.NullInt64](t, conn, db, false, `VALUES (1), (NULL)`)
		same[time.Time](t, conn, db, false, `SELECT '2024-01-02'::date`)
		same[any](t, conn, db, false, `VALUES (1), (NULL)`)
	}
}
