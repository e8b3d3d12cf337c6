package rowscan_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

type user struct {
	ID      int64
	Age     int
	Name    string
	Email   string
	Active  bool
	Score   float64
	Created time.Time
	Note    *string
}

const manyUsers = `
	SELECT i::bigint AS id, i::int AS age, 'name of ' || i AS name, i || '@example.com' AS email, i % 2 = 0 AS active,
		i::float8 / 3 AS score, timestamptz '2024-01-02 03:04:05Z' + i * interval '1 second' AS created,
		CASE WHEN i % 2 = 0 THEN 'note ' || i END AS note
	FROM generate_series(1, $1::int) i`

// byHand is the loop that one writes with pgx.
func byHand(conn *pgx.Conn, n int) (us []user, err error) {
	rows, err := conn.Query(context.Background(), manyUsers, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var u user
		err := rows.Scan(&u.ID, &u.Age, &u.Name, &u.Email, &u.Active, &u.Score, &u.Created, &u.Note)
		if err != nil {
			return nil, err
		}
		us = append(us, u)
	}
	return us, rows.Err()
}

// selectAll fills a slice that it knows by reflection only, as Select does.
func selectAll(conn *pgx.Conn, dst any, query string, args ...any) error {
	rows, err := conn.Query(context.Background(), query, append([]any{rowscan.ResultFormats()}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	slice := reflect.ValueOf(dst).Elem()
	slice.SetLen(0)
	fixed := reflect.New(slice.Type().Elem())
	var row *rowscan.Row
	for n := 0; rows.Next(); n++ {
		if row == nil {
			row, err = rowscan.New(fixed.Interface(), rowscan.Options{}, conn.TypeMap(), rows.FieldDescriptions())
			if err != nil {
				return err
			}
		}
		if err := row.Scan(rows.RawValues()); err != nil {
			return err
		}
		slice.Grow(1)
		slice.SetLen(n + 1)
		slice.Index(n).Set(fixed.Elem())
	}
	return rows.Err()
}

// BenchmarkScan runs four ways to read the same rows in turn, and reports medians of their ratios and allocations.
func BenchmarkScan(b *testing.B) {
	conn, pool := database(b)
	db := sqlx.NewDb(pool, "pgx")
	db.SetMaxOpenConns(1)
	for _, bm := range []struct {
		name string
		rows int
	}{{"rows=1", 1}, {"rows=1000", 1000}} {
		b.Run(bm.name, func(b *testing.B) {
			ways := []func() error{
				func() error { _, err := byHand(conn, bm.rows); return err },
				func() error { var us []user; return selectAll(conn, &us, manyUsers, bm.rows) },
				func() error { _, err := scan[user](conn, rowscan.Options{}, manyUsers, bm.rows); return err },
				func() error {
					if bm.rows == 1 {
						var u user
						return db.Get(&u, manyUsers, bm.rows)
					}
					var us []user
					return db.Select(&us, manyUsers, bm.rows)
				},
			}
			times := make([][]float64, len(ways))
			allocs := make([]float64, len(ways))
			for i, way := range ways {
				allocs[i] = testing.AllocsPerRun(10, func() {
					if err := way(); err != nil {
						b.Error(err)
					}
				})
			}
			for b.Loop() {
				for i, way := range ways {
					start := time.Now()
					if err := way(); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], float64(time.Since(start)))
				}
			}
			b.ReportMetric(medianRatio(times[1], times[0]), "reflect/hand")
			b.ReportMetric(medianRatio(times[2], times[0]), "generic/hand")
			b.ReportMetric(medianRatio(times[1], times[3]), "reflect/sqlx")
			b.ReportMetric(medianRatio(times[2], times[3]), "generic/sqlx")
			b.ReportMetric(allocs[0], "allocs-hand")
			b.ReportMetric(allocs[1], "allocs-reflect")
			b.ReportMetric(allocs[2], "allocs-generic")
			b.ReportMetric(allocs[3], "allocs-sqlx")
		})
	}
}

// medianRatio is of pairs that ran one after the other, on a machine that has other work.
func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// BenchmarkFill measures the filling alone, without a server, against pgx's.
func BenchmarkFill(b *testing.B) {
	conn, _ := database(b)
	rows, err := conn.Query(b.Context(), manyUsers, rowscan.ResultFormats(), 2)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	rows.Next()
	rows.Next() // the one with a note
	b.Run("ours", func(b *testing.B) {
		var u user
		row, err := rowscan.New(&u, rowscan.Options{}, conn.TypeMap(), rows.FieldDescriptions())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := row.Scan(rows.RawValues()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pgx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var u user
			err := rows.Scan(&u.ID, &u.Age, &u.Name, &u.Email, &u.Active, &u.Score, &u.Created, &u.Note)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var u user
			if _, err := rowscan.New(&u, rowscan.Options{}, conn.TypeMap(), rows.FieldDescriptions()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
