package migfile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateScripts = flag.Bool("update-scripts", false, "write the golden files of scripts")

// NewScript reads the text of a migration.
func NewScript(file string, content []byte) (*Script, error) {
	s := &Script{File: file}
	return s, s.load(content)
}

// mustScript reads a text that is good.
func mustScript(t *testing.T, text string) *Script {
	t.Helper()
	s, err := NewScript("001_create_users.sql", []byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// TestScriptGolden compares what testdata/scripts/*.sql are made into with the .golden file beside each.
func TestScriptGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "scripts", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, golden := showScript(t, mustScript(t, string(text))), strings.TrimSuffix(file, ".sql")+".golden"
		if *updateScripts {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v; it is not what is in %s; -update-scripts writes it anew:\n%s", file, err, golden, got)
		}
	}
}

// showScript writes what is known about a script, and each statement with its place and its rows.
func showScript(t *testing.T, s *Script) string {
	t.Helper()
	texts, err := s.Expand("My app")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "no transaction %v, session state %v, copies %v\n", s.NoTransaction, s.SessionState(), s.HasRows())
	for i, text := range texts {
		line, column, _ := s.Place(i, "My app", 0)
		fmt.Fprintf(&b, "line %d, column %d\n", line, column)
		for part := range strings.Lines(text) {
			fmt.Fprintf(&b, "    %q\n", part)
		}
		if st := s.Statements[i]; st.HasRows {
			fmt.Fprintf(&b, "  rows\n")
			for part := range strings.Lines(st.Rows) {
				fmt.Fprintf(&b, "    %q\n", part)
			}
		}
	}
	return b.String()
}

// TestScriptRefuses looks at the place and the reason of errors.
func TestScriptRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text  string
		place string // line:column
		parts []string
	}{
		"empty":            {"", "0:0", []string{"no statement"}},
		"white space":      {" \r\n\t\n", "0:0", []string{"no statement"}},
		"BOM only":         {bom, "0:0", []string{"no statement"}},
		"not UTF-8":        {"SELECT 1;\r\nSELECT 'é\xff';", "2:10", []string{"not UTF-8", "save the file as UTF-8"}},
		"UTF-16":           {"\xff\xfeS\x00E\x00", "1:1", []string{"save the file as UTF-8"}},
		"NUL":              {bom + "SELECT '\x00';", "1:9", []string{"NUL byte"}},
		"open literal":     {bom + "\r\nSELECT 'a;", "2:8", []string{"never closed"}},
		"psql's command":   {"SELECT 1;\n \\connect a\n", "2:2", []string{`\connect`, "psql"}},
		"psql's in a line": {"SELECT 1\n \\gexec\n", "2:2", []string{`\gexec`, "DO block"}},
		"strings off":      {"SELECT 1;\nSET standard_conforming_strings = off;", "2:5", []string{"backslash", "E'...'"}},
		"unknown template": {"SELECT 1;\r\nSELECT é\n  FROM {{table.users}};", "3:8",
			[]string{"template {{table.users}}", "did you mean {{tables.users}}?"}},
		"in a literal":              {"SELECT 1;\nSELECT '{{shema}}';", "2:9", []string{"did you mean {{schema}}?"}},
		"COMMIT inside":             {"SELECT 1; -- é\n  COMMIT;\nSELECT 2;", "2:3", []string{"COMMIT: ", "remove each BEGIN and COMMIT", "a file of its own"}},
		"COMMIT after":              {"SELECT 1;\nCOMMIT;", "2:1", []string{"COMMIT: "}},
		"BEGIN alone":               {"/* a */ begin;\nSELECT 1;", "1:9", []string{"BEGIN: "}},
		"SAVEPOINT":                 {"-- pgdbm:no-transaction\nSAVEPOINT a;", "2:1", []string{"SAVEPOINT: ", "no effect"}},
		"two transactions":          {"BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", "1:18", []string{"COMMIT: "}},
		"read only":                 {"BEGIN READ ONLY; SELECT 1; COMMIT;", "1:7", []string{"options of the transaction"}},
		"SET TRANSACTION READ ONLY": {"SET TRANSACTION READ ONLY; SELECT 1;", "1:17", []string{"nothing but its ISOLATION LEVEL"}},
		"SET TRANSACTION later":     {"SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;", "1:11", []string{"first statement", "-- pgdbm:isolation serializable"}},
		"level without transaction": {"-- pgdbm:no-transaction\n-- pgdbm:isolation serializable\nSELECT 1;", "0:0", []string{"one by one", "remove the line"}},
		"unknown level":             {"-- pgdbm:isolation snapshot\nSELECT 1;", "1:1", []string{"repeatable read"}},
		"pair on its own":           {"-- pgdbm:no-transaction\nBEGIN;\nSELECT 1;\nCOMMIT;", "2:1", []string{"BEGIN: ", "runs on its own"}},
		"ROLLBACK, no pair":         {"-- pgdbm:no-transaction\nSELECT 1; ROLLBACK;", "2:11", []string{"ROLLBACK: ", "runs on its own"}},
	} {
		_, err := NewScript("sql/001_a.sql", []byte(test.text))
		var e *Error
		if !errors.As(err, &e) || e.File != "sql/001_a.sql" || fmt.Sprintf("%d:%d", e.Line, e.Column) != test.place {
			t.Errorf("%s: %v; want a *Error at %s", name, err, test.place)
			continue
		}
		if e.Line > 0 {
			test.parts = append(test.parts, fmt.Sprintf("pgdbm: sql/001_a.sql, line %d, column %d: ", e.Line, e.Column))
		}
		for _, part := range test.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want in it %q", name, err, part)
			}
		}
		if strings.Count(err.Error(), "pgdbm: ") != 1 || strings.Count(err.Error(), "column") > 1 {
			t.Errorf("%s: the text has the place or the prefix twice: %v", name, err)
		}
	}
}

// TestScriptOfNothing has files without a statement that are migrations.
func TestScriptOfNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"-- a", "-- a\n/* b */;\n", bom + "\n/* a */\n", "-- pgdbm:no-transaction\n", "\\restrict a\n", "BEGIN;\nCOMMIT;\n", ";"} {
		if s := mustScript(t, text); len(s.Statements) != 0 || s.Checksum != Checksum(text) || s.SessionState() || s.HasRows() || s.Join(nil) != "" {
			t.Errorf("%q: %+v", text, s)
		}
	}
}

// TestScriptText wants the bytes of the file to be what runs, but for the BOM, and only the checksum to be made of LF.
func TestScriptText(t *testing.T) {
	t.Parallel()
	s := mustScript(t, bom+"SELECT 'a\r\nb\rc';\rCOPY t FROM stdin;\r\n1\r\n\\.\r\n")
	if s.Text != "SELECT 'a\r\nb\rc';\rCOPY t FROM stdin;\r\n1\r\n\\.\r\n" || s.Statements[0].SQL.Text != "SELECT 'a\r\nb\rc';" ||
		s.Statements[1].Rows != "1\r\n" {
		t.Errorf("%q, %+v", s.Text, s.Statements)
	}
	if want := Checksum(bom + normalize(s.Text)); s.Checksum != want || s.Checksum == Checksum(s.Text) {
		t.Errorf("checksum %s, want %s", s.Checksum, want)
	}
	if mustScript(t, "BEGIN;\nSELECT 1;\nCOMMIT;").Checksum != Checksum("BEGIN;\nSELECT 1;\nCOMMIT;") {
		t.Error("the checksum lacks the pair of BEGIN and COMMIT")
	}
}

// TestScriptPlace wants each byte of what is expanded to come from the right place in the file.
func TestScriptPlace(t *testing.T) {
	t.Parallel()
	s := mustScript(t, bom+"SELECT 1;\r\n\r\n  SELECT 'é', x FROM {{tables.users}} AS u,\r\n\tmissing;\r\n")
	for _, test := range []struct {
		schema, at   string // the byte where this begins in the expanded text
		line, column int
		text         string
	}{
		{"My app", "SELECT", 3, 3, "  SELECT 'é', x FROM {{tables.users}} AS u,"},
		{"My app", "x FROM", 3, 15, "  SELECT 'é', x FROM {{tables.users}} AS u,"},
		{"My app", "app", 3, 22, "  SELECT 'é', x FROM {{tables.users}} AS u,"},
		{"My app", "AS u", 3, 39, "  SELECT 'é', x FROM {{tables.users}} AS u,"},
		{"a", "AS u", 3, 39, "  SELECT 'é', x FROM {{tables.users}} AS u,"},
		{"", "missing", 4, 2, "\tmissing;"},
		{"My app", "missing", 4, 2, "\tmissing;"},
		{"My app", ";", 4, 9, "\tmissing;"},
	} {
		texts, err := s.Expand(test.schema)
		if err != nil {
			t.Fatal(err)
		}
		line, column, text := s.Place(1, test.schema, strings.Index(texts[1], test.at))
		if line != test.line || column != test.column || text != test.text {
			t.Errorf("%s: %d, %d, %q; want %+v", test.at, line, column, text, test)
		}
	}
	if line, column, text := s.Place(0, "a", 0); line != 1 || column != 1 || text != "SELECT 1;" {
		t.Errorf("%d, %d, %q", line, column, text)
	}
	last := mustScript(t, "SELECT 1") // no line end
	for _, offset := range []int{-1, 8, 1000} {
		if line, column, text := last.Place(0, "a", offset); line != 1 || column != max(1, min(offset+1, 9)) || text != "SELECT 1" {
			t.Errorf("offset %d: %d, %d, %q", offset, line, column, text)
		}
	}
}

func TestScriptExpandRefuses(t *testing.T) {
	t.Parallel()
	s := mustScript(t, "SELECT 1;\nDO $a$ BEGIN\n  PERFORM {{schema}}.f();\nEND $a$;\n")
	_, err := s.Expand("x$a$y")
	var e *Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 11 || !strings.Contains(e.Reason, "another tag") {
		t.Errorf("%v", err)
	}
}

func TestScriptSessionState(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT 1; CREATE TABLE a (b int);":                       false,
		"SELECT 1; SET search_path = a;":                          true,
		"SELECT 1; SET LOCAL search_path = a; SELECT 2":           true,
		"SELECT set_config('a.b', 'c', true);":                    true,
		"CREATE TEMP TABLE a (b int);":                            true,
		"COPY a FROM stdin;\nSET search_path = b;\n\\.\nSELECT 1": false,
	} {
		if got := mustScript(t, text).SessionState(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// FuzzScript checks that any text is refused with a *Error for a place in it, or has statements that come from it.
func FuzzScript(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "scripts", "*.sql"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("BEGIN; COPY a FROM stdin;\n1\n\\.\nCOMMIT;")
	f.Add(bom + "-- pgdbm:no-transaction\r\nSELECT E'\\'';/* /* */-- a\r*/")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := NewScript("001_a.sql", []byte(text))
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Line > strings.Count(normalize(text), "\n")+1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for i, st := range s.Statements {
			if !strings.HasPrefix(s.Text[st.Start:], st.SQL.Text) || st.Rows != "" && !st.HasRows {
				t.Fatalf("%q: %+v", text, st)
			}
			s.Place(i, "a", len(text))
		}
		if _, err := s.Expand("a"); err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
