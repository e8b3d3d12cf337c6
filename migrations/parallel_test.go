package migrations

import (
	"database/sql"
	"fmt"
	"testing"
	"testing/fstest"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/schemadb"
)

// TestParallel has pools of each size, to which nothing connects. A schema takes one connection, and one more for its lock
// unless the run has that of all; a migration without a transaction borrows a second one for a while.
func TestParallel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[string][]int{ // for pools of 0 (no limit), 2, 3, ... connections
		"SELECT 1":                          {"": {5, 1, 1, 2, 2, 3, 3, 4}, "app": {5, 1, 2, 3, 4, 5, 5, 5}},
		"-- pgdbm:no-transaction\nSELECT 1": {"": {5, 1, 1, 1, 2, 2, 3, 3}, "app": {5, 1, 1, 2, 3, 4, 5, 5}},
	} {
		source, err := readSource(fstest.MapFS{"1_a.sql": {Data: []byte(text)}, "2_b.sql": {Data: []byte("SELECT 2")}}, &options{})
		if err != nil {
			t.Fatal(err)
		}
		for module, want := range want {
			var got []int
			for _, most := range []int{0, 2, 3, 4, 5, 6, 7, 8} {
				pool, err := sql.Open("pgx", "postgres://nowhere.invalid/x")
				if err != nil {
					t.Fatal(err)
				}
				pool.SetMaxOpenConns(most)
				a := &all{options: options{workers: 5, module: module}, db: schemadb.New(pool, ""), source: source}
				got = append(got, a.parallel())
				pool.Close()
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q, module %q: %v schemas at once, want %v", text, module, got, want)
			}
		}
	}
}
