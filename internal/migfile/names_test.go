package migfile

import (
	"cmp"
	"math"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]fileName{
		"001_create_users.sql":      {number: "001", version: "1", name: "create_users", style: style{between: "_"}},
		"0_init.sql":                {number: "0", version: "0", name: "init", style: style{between: "_"}},
		"V1__create_users.sql":      {number: "1", version: "1", name: "create_users", style: style{prefix: "V", between: "__"}},
		"V012__a__b.sql":            {number: "012", version: "12", name: "a__b", style: style{prefix: "V", between: "__"}},
		"001__a.sql":                {number: "001", version: "1", name: "_a", style: style{between: "_"}},
		"20260101120000_name.sql":   {number: "20260101120000", version: "20260101120000", name: "name", style: style{between: "_"}},
		"20260101_120000_name.sql":  {number: "20260101_120000", version: "20260101120000", name: "name", style: style{between: "_"}},
		"20260101_1200000_name.sql": {number: "20260101", version: "20260101", name: "1200000_name", style: style{between: "_"}},
		"20260101_120000x.sql":      {number: "20260101", version: "20260101", name: "120000x", style: style{between: "_"}},
		"20260101_name.sql":         {number: "20260101", version: "20260101", name: "name", style: style{between: "_"}},
		"001_name.up.sql":           {number: "001", version: "1", name: "name", style: style{between: "_", upDown: true}},
		"001_name.down.sql":         {number: "001", version: "1", name: "name", style: style{between: "_", upDown: true}, undo: true},
		"20260101_120000_name.down.sql": {number: "20260101_120000", version: "20260101120000", name: "name",
			style: style{between: "_", upDown: true}, undo: true},
		"V1__name.up.sql":               {number: "1", version: "1", name: "name", style: style{prefix: "V", between: "__", upDown: true}},
		"R__views.sql":                  {kind: Repeatable, name: "views"},
		"R__001_views.sql":              {kind: Repeatable, name: "001_views"},
		"001_größe 2.1-final.sql":       {number: "001", version: "1", name: "größe 2.1-final", style: style{between: "_"}},
		"001_startup.sql":               {number: "001", version: "1", name: "startup", style: style{between: "_"}},
		"9223372036854775807_last.sql":  {number: "9223372036854775807", version: "9223372036854775807", name: "last", style: style{between: "_"}},
		"0001-name.sql":                 {number: "0001", version: "1", name: "name", style: style{between: "-"}},
		"001-2fa.sql":                   {number: "001", version: "1", name: "2fa", style: style{between: "-"}},
		"20180101120000-name.sql":       {number: "20180101120000", version: "20180101120000", name: "name", style: style{between: "-"}},
		"20180101-120000-name.sql":      {number: "20180101-120000", version: "20180101120000", name: "name", style: style{between: "-"}},
		"2018-01-02-name.sql":           {number: "2018-01-02", version: "20180102", name: "name", style: style{between: "-"}},
		"2018-01-02-3-name.sql":         {number: "2018-01-02", version: "20180102", name: "3-name", style: style{between: "-"}},
		"0001-name.up.sql":              {number: "0001", version: "1", name: "name", style: style{between: "-", upDown: true}},
		"0001.sql":                      {number: "0001", version: "1"},
		"1.10_name.sql":                 {number: "1.10", version: "1.10", name: "name", style: style{between: "_"}},
		"V0001.Name.up.sql":             {number: "0001", version: "1", name: "Name", style: style{prefix: "V", between: ".", upDown: true}},
		"V0001.Name.down.sql":           {number: "0001", version: "1", name: "Name", style: style{prefix: "V", between: ".", upDown: true}, undo: true},
		"V01.010.0__name.sql":           {number: "01.010.0", version: "1.10", name: "name", style: style{prefix: "V", between: "__"}},
		"V1_2__name.sql":                {number: "1_2", version: "1.2", name: "name", style: style{prefix: "V", between: "__"}},
		"U1.1__name.sql":                {number: "1.1", version: "1.1", name: "name", style: style{prefix: "V", between: "__"}, undo: true},
		"20180101120000123456_name.sql": {number: "20180101120000123456", version: "20180101120000123456", name: "name", style: style{between: "_"}},
		"00009223372036854775808_n.sql": {number: "00009223372036854775808", version: "9223372036854775808", name: "n", style: style{between: "_"}},

		"0001_name/up.sql":                   {number: "0001", version: "1", name: "name", style: style{between: "_"}},
		"0001_name/down.sql":                 {number: "0001", version: "1", name: "name", style: style{between: "_"}, undo: true},
		"20210101120000_init/migration.sql":  {number: "20210101120000", version: "20210101120000", name: "init", style: style{between: "_"}},
		"2018-01-02-120000_name/up.sql":      {number: "2018-01-02-120000", version: "20180102120000", name: "name", style: style{between: "_"}},
		"2023-01-02-120000-0000_name/up.sql": {number: "2023-01-02-120000-0000", version: "202301021200000000", name: "name", style: style{between: "_"}},
		"R__views/up.sql":                    {kind: Repeatable, name: "views"},
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
		"schema.sql":           "001.sql, V1__name.sql",
		"001_.sql":             "has another name",
		"001_.up.sql":          "has another name",
		"_name.sql":            "has another name",
		"V1_name.sql":          "has another name",
		"V1__.sql":             "has another name",
		"V__name.sql":          "has another name",
		"v1__name.sql":         "has another name",
		"R__.sql":              "has another name",
		"r__name.sql":          "has another name",
		"R_name.sql":           "has another name",
		"-1_name.sql":          "has another name",
		"+1_name.sql":          "has another name",
		" 1_name.sql":          "has another name",
		"١_name.sql":           "has another name",
		"20260101_120000_.sql": "has another name",
		"001_a\nb.sql":         "has another name",
		"001_name.SQL":         "lower case",
		"001_name.Sql":         "lower case",
		"001_name.UP.sql":      "one .up or .down in lower case",
		"001_name.Down.sql":    "one .up or .down in lower case",
		"001_name.up.Down.sql": "one .up or .down in lower case",
		"R__name.down.sql":     "no undo",
		"R__name.up.sql":       "no undo",
		"001_\xff.sql":         "UTF-8",
		"V1..1__name.sql":      "has another name",
		"V1.1_name.sql":        "has another name",
		"U1__name.up.sql":      "has another name",
		"U1__name/up.sql":      "has another name",
		"001.do.name.sql":      "has another name",
		"001.undo.sql":         "has another name",
		"001.Down.sql":         "has another name",
		"001-.sql":             "has another name",
		"1._name.sql":          "has another name",
		"name/up.sql":          "has another name",
		"001_name/data.sql":    "there can be up.sql",
		"001_name.up/up.sql":   "one .up or .down in lower case",
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
		"20260101_120000.sql", "99999999999999999999_n.sql", "U1.2__n.sql", "2018-01-02-120000_n/down.sql", "1_n/migration.sql", "0001.sql"} {
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
		again, folder := "R__"+n.name+".sql", ""
		if n.kind == Versioned {
			again = n.style.file(n.number, n.name)
		}
		if n.name == "" {
			again = strings.Replace(strings.Replace(again, n.number+"__", n.number, 1), n.number+"_", n.number, 1)
		}
		if i := strings.Index(file, "/"); i >= 0 {
			again, folder = strings.TrimSuffix(again, ".sql")+file[i:], file[:i]
		}
		switch {
		case !n.undo || folder != "":
		case n.style.upDown:
			again = strings.TrimSuffix(again, ".up.sql") + ".down.sql"
		default:
			again = "U" + again[1:]
		}
		if again != file || n.file != file || n.kind == Versioned && n.version == "" || n.name != "" && !isName(n.name) {
			t.Fatalf("%q: %+v, written %q", file, n, again)
		}
	})
}

func TestVersionsInOrder(t *testing.T) {
	t.Parallel()
	ordered := []string{"0", "1", "1.1", "1.2", "1.2.1", "1.10", "2", "10", "20260101", "9223372036854775807", "9223372036854775808",
		"20180101120000123456", "20180101120000123457", "100000000000000000000"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := compareVersions(a, b); got != cmp.Compare(i, j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	for version, first := range map[string]int64{"1.10": 1, "20180101120000123456": math.MaxInt64, "": 0, "9223372036854775807": math.MaxInt64} {
		if got := firstPart(version); got != first {
			t.Errorf("%s: %d", version, got)
		}
	}
}
