package named_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/named"
)

const benchText = "INSERT INTO {{tables.users}} (id, name, tags, size) VALUES (:id, lower(:name), :tags::text[], :size) " +
	"ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now() RETURNING id -- and a comment"

type benchRow struct {
	ID   int
	Name string
	Tags []string
	Size int
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(benchText)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = named.Parse(benchText)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := named.NewCache(1 << 20)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = c.Get(benchText)
		}
	})
}

func BenchmarkBind(b *testing.B) {
	q, _ := named.Parse(benchText)
	mapper := newMapper()
	for name, arg := range map[string]any{
		"struct":    &benchRow{1, "a", nil, 2},
		"map":       map[string]any{"id": 1, "name": "a", "tags": nil, "size": 2},
		"1000 rows": make([]benchRow, 1000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = q.Bind(mapper, arg)
			}
		})
	}
}

func BenchmarkRebind(b *testing.B) {
	const text = "SELECT id, name FROM {{tables.users}} WHERE id = ? AND data ? 'key' AND name LIKE ?||'%' LIMIT ?"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		named.Rebind(text)
	}
}
