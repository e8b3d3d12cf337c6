package template_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgdbm/pgdbm/internal/template"
)

// newerWords are reserved since a PostgreSQL that may be newer than the one of the test.
var newerWords = map[string]bool{"system_user": true} // 16

// everyStatement uses the table {{tables.word}} in all ways that have a place for a table's name.
const everyStatement = `CREATE TABLE {{tables.word}} (id int);
	INSERT INTO {{tables.word}} (id) VALUES (1);
	INSERT INTO {{tables.word}} AS x SELECT 1;
	SELECT {{tables.word}}.id FROM {{tables.word}};
	SELECT {{tables.word}}.*, 1 FROM {{tables.word}} JOIN {{tables.word}} AS x ON {{tables.word}}.id = x.id;
	SELECT 1 FROM ONLY {{tables.word}} x, LATERAL (SELECT 1 FROM {{tables.word}}) y ORDER BY x.id;
	TABLE {{tables.word}};
	SELECT id FROM {{tables.word}} FOR UPDATE OF {{tables.word}};
	SELECT id FROM {{tables.word}} FOR NO KEY UPDATE OF {{tables.word}} NOWAIT;
	UPDATE {{tables.word}} SET id = {{tables.word}}.id + 1 WHERE {{tables.word}}.id = 1;
	DELETE FROM {{tables.word}} USING {{tables.word}} AS x WHERE x.id = {{tables.word}}.id;
	CREATE INDEX ON {{tables.word}} (id);
	COMMENT ON COLUMN {{tables.word}}.id IS 'x';
	SELECT '{{tables.word}}'::regclass;
	ALTER TABLE {{tables.word}} RENAME TO {{tables.other}};
	ALTER TABLE {{tables.other}} RENAME TO {{tables.word}};
	DROP TABLE {{tables.word}}`

// TestEveryKeywordIsATable uses every keyword of the server as the name of a table.
func TestEveryKeywordIsATable(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", weirdSchema} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			if _, err := conn.Exec(t.Context(), "CREATE SCHEMA "+template.QuoteIdent(weirdSchema)); err != nil {
				t.Fatal(err)
			}
			for _, word := range keywords(t, conn) {
				text := strings.ReplaceAll(everyStatement, "{{tables.word}}", "{{tables."+word+"}}")
				if err := inRollback(t.Context(), conn, expand(t, text, schema, template.Both)); err != nil {
					t.Errorf("%s: %v", word, err)
				}
			}
		})
	}
}

func keywords(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "SELECT word FROM pg_get_keywords()")
	if err != nil {
		t.Fatal(err)
	}
	words, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(words) < 400 {
		t.Fatalf("%d keywords, error %v", len(words), err)
	}
	return words
}

// TestOnlyReservedWordsAreQuoted: a table's name is emitted as it is written if that works.
func TestOnlyReservedWordsAreQuoted(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, word := range keywords(t, conn) {
		err := inRollback(t.Context(), conn, fmt.Sprintf("CREATE TABLE %s (id int); SELECT %[1]s.id FROM %[1]s", word))
		want := word
		if err != nil || newerWords[word] {
			want = template.QuoteIdent(word)
		}
		if got := expand(t, "{{tables."+word+"}}", "", template.Both); got != want {
			t.Errorf("{{tables.%s}} becomes %s; without quotes: %v", word, got, err)
		}
	}
}

func inRollback(ctx context.Context, conn *pgx.Conn, sql string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	_, err = tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}
