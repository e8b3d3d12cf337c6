package template_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/pgdbm/pgdbm/internal/template"
)

func get(t *testing.T, c *template.Cache, text, schema string) string {
	t.Helper()
	e, err := c.Get(text, schema)
	if err != nil {
		t.Errorf("Get(%q, %q): %v", text, schema, err)
	}
	if e.Hash != template.Hash(e.SQL) {
		t.Errorf("Get(%q, %q): the hash is not that of %q", text, schema, e.SQL)
	}
	return e.SQL
}

func TestCacheGet(t *testing.T) {
	t.Parallel()
	c := template.NewCache(1<<20, template.Both)
	for range 2 {
		for _, schema := range []string{plainSchema, weirdSchema} {
			want := "SET x = 1; TABLE " + template.QuoteIdent(schema) + ".t"
			e, err := c.Get("SET x = 1; TABLE {{tables.t}}", schema)
			if e.SQL != want || !e.Info.SessionState || err != nil {
				t.Errorf("Get = %+v, %v", e, err)
			}
		}
		if got := get(t, c, "SET x = 1; TABLE {{tables.t}}", ""); got != "SET x = 1; TABLE t" {
			t.Errorf("no schema: %q", got)
		}
	}
	if got := get(t, template.NewCache(1<<20, template.Braces), "SELECT 1<<schema>>2", ""); got != "SELECT 1<<schema>>2" {
		t.Errorf("the syntax is ignored: %q", got)
	}
}

// TestHitsAreTheSameString: what the layers below know by its text is found there without comparing it.
func TestHitsAreTheSameString(t *testing.T) {
	t.Parallel()
	c := template.NewCache(1<<20, template.Both)
	text := "TABLE {{tables.t}}"
	first := get(t, c, text, plainSchema)
	again := get(t, c, strings.Clone(text), strings.Clone(plainSchema))
	if unsafe.StringData(first) != unsafe.StringData(again) {
		t.Error("a hit returned another string")
	}
}

// TestNoAllocations cannot run in parallel: testing.AllocsPerRun counts what others allocate too.
func TestNoAllocations(t *testing.T) {
	c := template.NewCache(1<<20, template.Both)
	plain := `SELECT "a", 'b', $$c$$ FROM t -- create of to index` + "\n; SELECT 1 << 2, set_config('a', 'b', true)"
	for name, f := range map[string]func(){
		"Parse of a plain text": func() {
			if stmt, err := template.Parse(plain, template.Both); err != nil || stmt.HasTemplates() {
				t.Error(err)
			}
		},
		"Expand of a plain text": func() {
			stmt, _ := template.Parse(plain, template.Both)
			if sql, err := stmt.Expand(plainSchema); err != nil || unsafe.StringData(sql) != unsafe.StringData(plain) {
				t.Error(err)
			}
		},
		"a hit of a plain text": func() { get(t, c, plain, plainSchema) },
		"a hit":                 func() { get(t, c, "TABLE {{tables.t}}", weirdSchema) },
		"a hit in no schema":    func() { get(t, c, "TABLE {{tables.t}}", "") },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := template.NewCache(1<<20, template.Both)
	var first error
	for i := range 3 {
		_, err := c.Get("SELECT {{oops}}", plainSchema)
		var e *template.Error
		if !errors.As(err, &e) || err == first {
			t.Errorf("error %d: %v, want a new *template.Error", i, err)
		}
		first = err
	}
	// An error for one schema is none for another.
	if _, err := c.Get("DO $$ {{schema}} $$", "a$$b"); err == nil {
		t.Error("no error for a schema that ends the body")
	}
	if got := get(t, c, "DO $$ {{schema}} $$", plainSchema); got != `DO $$ "myapp" $$` {
		t.Errorf("got %q", got)
	}
}

// TestCacheUnderLoad reads and writes a cache that is far too small for what it gets, and grows from nothing.
func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1 << 12, 1 << 16, 1 << 24} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			c := template.NewCache(size, template.Both)
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for i := range 3000 {
						n, schema := (i*7+g*g)%500, fmt.Sprintf("tenant_%d", i%5)
						text, want := fmt.Sprintf("SELECT %d FROM {{tables.t%[1]d}}", n), fmt.Sprintf(`SELECT %d FROM "%s".t%[1]d`, n, schema)
						if n%3 == 0 {
							text = fmt.Sprintf("SELECT %d, '{{tables.t}}'", n)
							want = text
						}
						if got := get(t, c, text, schema); got != want {
							t.Errorf("Get(%q, %q) = %q", text, schema, got)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
