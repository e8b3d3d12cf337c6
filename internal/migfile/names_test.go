package migfile

import (
	"math"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]fileName{
		"001_create_users.sql":      {version: 1, name: "create_users", style: style{width: 3}},
		"0_init.sql":                {version: 0, name: "init", style: style{width: 1}},
		"V1__create_users.sql":      {version: 1, name: "create_users", style: style{prefix: "V", width: 1}},
		"V012__a__b.sql":            {version: 12, name: "a__b", style: style{prefix: "V", width: 3}},
		"20260101120000_name.sql":   {version: 20260101120000, name: "name", style: style{width: 14}},
		"20260101_120000_name.sql":  {version: 20260101120000, name: "name", style: style{width: 14, split: true}},
		"20260101_1200000_name.sql": {version: 20260101, name: "1200000_name", style: style{width: 8}},
		"20260101_120000x.sql":      {version: 20260101, name: "120000x", style: style{width: 8}},
		"20260101_name.sql":         {version: 20260101, name: "name", style: style{width: 8}},
		"001_name.up.sql":           {version: 1, name: "name", style: style{width: 3, upDown: true}},
		"001_name.down.sql":         {version: 1, name: "name", style: style{width: 3, upDown: true}, undo: true},
		"20260101_120000_name.down.sql": {version: 20260101120000, name: "name",
			style: style{width: 14, split: true, upDown: true}, undo: true},
		"V1__name.up.sql":                  {version: 1, name: "name", style: style{prefix: "V", width: 1, upDown: true}},
		"R__views.sql":                     {kind: Repeatable, name: "views"},
		"R__001_views.sql":                 {kind: Repeatable, name: "001_views"},
		"001_größe 2.1-final.sql":          {version: 1, name: "größe 2.1-final", style: style{width: 3}},
		"001_startup.sql":                  {version: 1, name: "startup", style: style{width: 3}},
		"9223372036854775807_last.sql":     {version: math.MaxInt64, name: "last", style: style{width: 19}},
		"00009223372036854775807_last.sql": {version: math.MaxInt64, name: "last", style: style{width: 23}},
	} {
		want.file = file
		if got, reason := parseName(file); got != want || reason != "" {
			t.Errorf("%s: %+v, %s; want %+v", file, got, reason, want)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	t.Parallel()
	for file, part := range map[string]string{
		"schema.sql":                   "001_name.sql, V1__name.sql",
		"001.sql":                      "has another name",
		"001_.sql":                     "has another name",
		"001.up.sql":                   "has another name",
		"001_.up.sql":                  "has another name",
		"001-name.sql":                 "has another name",
		"_name.sql":                    "has another name",
		"V1_name.sql":                  "has another name",
		"V1__.sql":                     "has another name",
		"V__name.sql":                  "has another name",
		"V1.1__name.sql":               "has another name",
		"v1__name.sql":                 "has another name",
		"U1__name.sql":                 "has another name",
		"R__.sql":                      "has another name",
		"r__name.sql":                  "has another name",
		"R_name.sql":                   "has another name",
		"-1_name.sql":                  "has another name",
		"+1_name.sql":                  "has another name",
		" 1_name.sql":                  "has another name",
		"١_name.sql":                   "has another name",
		"20260101_120000.sql":          "has another name",
		"20260101_120000_.sql":         "has another name",
		"001_a\nb.sql":                 "has another name",
		"001_name.SQL":                 "lower case",
		"001_name.Sql":                 "lower case",
		"001_name.UP.sql":              "one .up or .down in lower case",
		"001_name.Down.sql":            "one .up or .down in lower case",
		"001_name.up.Down.sql":         "one .up or .down in lower case",
		"R__name.down.sql":             "no undo",
		"R__name.up.sql":               "no undo",
		"9223372036854775808_name.sql": "64 bits",
		"V99999999999999999999__n.sql": "64 bits",
		"001_\xff.sql":                 "UTF-8",
		"001_" + strings.Repeat("ü", 248) + ".sql": "255 characters",
	} {
		if got, reason := parseName(file); got != (fileName{}) || !strings.Contains(reason, part) {
			t.Errorf("%q: %+v, %q; want the reason %q", file, got, reason, part)
		}
	}
	if _, reason := parseName("001_" + strings.Repeat("ü", 247) + ".sql"); reason != "" {
		t.Errorf("255 characters: %s", reason)
	}
}

// FuzzParseName checks that a name is refused with a reason, or says the same when it is written in its style again.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"001_create_users.sql", "V1__name.sql", "20260101_120000_name.sql",
		"20260101120000_name.up.sql", "1_n.down.sql", "R__views.sql", "schema.sql", "001_\xff.sql",
		"20260101_120000.sql", "99999999999999999999_n.sql"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		n, reason := parseName(file)
		if reason != "" {
			if n != (fileName{}) {
				t.Fatalf("%q: refused, but %+v", file, n)
			}
			return
		}
		again := "R__" + n.name + ".sql"
		if n.kind == Versioned {
			again = n.style.file(n.version, n.name)
		}
		if n.undo {
			again = strings.TrimSuffix(again, ".up.sql") + ".down.sql"
		}
		if again != file || n.file != file || n.version < 0 || !isName(n.name) {
			t.Fatalf("%q: %+v, written %q", file, n, again)
		}
	})
}
