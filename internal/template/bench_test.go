package template_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// fill repeats the pieces until the text is about size bytes long, and puts a template at its very end.
func fill(size int, pieces ...string) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(pieces[i%len(pieces)])
	}
	return b.String() + "FROM {{tables.users}}"
}

var (
	plainSQL = fill(10_000,
		"SELECT u.id, u.email, u.created_at, coalesce(o.total, 0) AS total FROM accounts u\n",
		"  JOIN orders o ON o.user_id = u.id AND o.deleted_at IS NULL\n",
		"WHERE u.status = $1 AND o.total >= 100 GROUP BY u.id HAVING count(*) > 3 ORDER BY u.created_at DESC LIMIT 10\n",
		"UNION ALL\n")
	quotedSQL = fill(10_000,
		`SELECT "u"."id", 'it''s', E'a\'b', x'ff' -- a comment`+"\n",
		`, $$ body $$, $tag$ another $$ one $tag$ /* block /* nested */ */, "column ""x"""`+"\n",
		"FROM \"accounts\" WHERE name = 'Smith' AND j = '{\"a\": [1, 2]}' UNION ALL\n")
)

// BenchmarkExpandFirst measures a text that was never seen before.
func BenchmarkExpandFirst(b *testing.B) {
	for _, bm := range []struct{ name, text string }{{"plain", plainSQL}, {"quotes", quotedSQL}} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.text)))
			for b.Loop() {
				stmt, err := template.Parse(bm.text, template.Both)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = stmt.Expand("tenant_42"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExpandCached measures 16 goroutines that ask for the same 200 bytes.
func BenchmarkExpandCached(b *testing.B) {
	text := "SELECT id, email, name, created_at FROM {{tables.users}} WHERE id = $1 AND status = 'active' AND deleted_at IS NULL"
	text += strings.Repeat(" ", 200-len(text))
	cache := template.NewCache(1<<20, template.Both)
	procs := runtime.GOMAXPROCS(0)
	b.SetParallelism((16 + procs - 1) / procs) // times procs
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Get(text, "tenant_42"); err != nil {
				b.Error(err)
			}
		}
	})
}
