package sqllex_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

var plainSQL = strings.Repeat("SELECT u.id, u.email, u.created_at, coalesce(o.total, 0) AS total FROM accounts u\n"+
	"  JOIN orders o ON o.user_id = u.id AND o.deleted_at IS NULL\n"+
	"WHERE u.status = $1 AND o.total >= 100 GROUP BY u.id HAVING count(*) > 3 ORDER BY u.created_at DESC LIMIT 10\n"+
	"UNION ALL\n", 40)

func BenchmarkNext(b *testing.B) {
	b.SetBytes(int64(len(plainSQL)))
	for b.Loop() {
		l := sqllex.Lexer{Text: plainSQL}
		for l.Next().Kind != sqllex.EOF {
		}
	}
}

func BenchmarkSkim(b *testing.B) {
	words := sqllex.NewWordFilter("create", "temporary", "set_config")
	b.SetBytes(int64(len(plainSQL)))
	for b.Loop() {
		l := sqllex.Lexer{Text: plainSQL}
		for l.Skim(words).Kind != sqllex.EOF {
		}
	}
}
