package migfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sourceFiles makes a file system of names. The text of each is a statement with its name in a comment.
func sourceFiles(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte("SELECT 1; -- " + strings.ToValidUTF8(name, "?") + "\n")}
	}
	return files
}

func TestSourceOrder(t *testing.T) {
	t.Parallel()
	files := sourceFiles("R__b.sql", "R__a-b.sql", "R__a.sql", "10_ten.sql", "2_two.sql", "001_one.sql", "0_zero.sql",
		"V3__three.sql", "20260101_120000_stamp.sql", "0004_four.up.sql", "0004_four.down.sql", "down/2_two.sql")
	s, err := Read(files, []Function{
		{Version: 5, Name: "five", Up: true, Down: true}, {Version: 11, Name: "eleven", Up: true},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range s {
		line := fmt.Sprintf("%d %s %s %s", m.Version, m.Name, m.File, []string{"versioned", "repeatable"}[m.Kind])
		if m.Undoable {
			line += " undoable"
		}
		if !m.Go && m.Undoable != (m.Down != nil) || m.Go != (m.Up == nil) {
			t.Errorf("%+v", m)
		}
		if len(m.Checksum) != 64 {
			t.Errorf("%s: checksum %q", m.File, m.Checksum)
		}
		got = append(got, line)
	}
	want := []string{
		"0 zero 0_zero.sql versioned", "1 one 001_one.sql versioned", "2 two 2_two.sql versioned undoable",
		"3 three V3__three.sql versioned", "4 four 0004_four.up.sql versioned undoable", "5 five 005_five.go versioned undoable",
		"10 ten 10_ten.sql versioned", "11 eleven 011_eleven.go versioned",
		"20260101120000 stamp 20260101_120000_stamp.sql versioned", "0 a R__a.sql repeatable", "0 a-b R__a-b.sql repeatable",
		"0 b R__b.sql repeatable",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if four := s[4]; four.Up.File != "0004_four.up.sql" || four.Down.File != "0004_four.down.sql" ||
		four.Checksum != Checksum("SELECT 1; -- 0004_four.up.sql") || four.Checksum != four.Up.Checksum {
		t.Errorf("%+v", four)
	}
	if two := s[2]; two.Down.File != "down/2_two.sql" || len(two.Down.Statements) != 1 {
		t.Errorf("%+v", two.Down)
	}
}

func TestSourceFolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files fstest.MapFS
		want  string // the file of the only migration
	}{
		"root":                  {sourceFiles("001_a.sql"), "001_a.sql"},
		"root wins":             {sourceFiles("001_a.sql", "other/002_b.sql", "third/003_c.sql"), "001_a.sql"},
		"the only folder":       {sourceFiles("sql/001_a.sql", "docs/readme.md", "down/readme.txt"), "sql/001_a.sql"},
		"down is no candidate":  {sourceFiles("sql/001_a.sql", "down/001_a.sql"), "sql/001_a.sql"},
		"undo in the folder":    {sourceFiles("sql/001_a.sql", "sql/down/001_a.sql"), "sql/001_a.sql"},
		"hidden files":          {sourceFiles("001_a.sql", ".002_b.sql", "._001_a.sql", ".git/003_c.sql"), "001_a.sql"},
		"hidden folder":         {sourceFiles("sql/001_a.sql", ".git/003_c.sql"), "sql/001_a.sql"},
		"other files":           {sourceFiles("001_a.sql", "readme.md", "001_a.sql~", "002_b.sql.bak", "002_b.txt"), "001_a.sql"},
		"a folder called .sql":  {sourceFiles("001_a.sql", "002_b.sql/readme.md"), "001_a.sql"},
		"deeper ones are not":   {sourceFiles("sql/001_a.sql", "sql/old/001_a.sql"), "sql/001_a.sql"},
		"a file called down":    {sourceFiles("001_a.sql", "down"), "001_a.sql"},
		"hidden files in down/": {sourceFiles("001_a.sql", "down/.001_b.sql"), "001_a.sql"},
	} {
		s, err := Read(test.files, nil, false)
		if err != nil || len(s) != 1 || s[0].Up.File != test.want {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m := s[0]; m.Undoable != (name == "undo in the folder") || strings.Contains(m.File, "/") {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// TestSourceRefuses looks at errors that name the file and say what to do.
func TestSourceRefuses(t *testing.T) {
	t.Parallel()
	long := "001_" + strings.Repeat("a", 248) + ".sql"
	for name, test := range map[string]struct {
		files     fstest.MapFS
		functions []Function
		file      string
		parts     []string
	}{
		"two folders": {sourceFiles("a/001_a.sql", "b/001_b.sql"), nil, "b",
			[]string{"and in a", `fs.Sub(files, "a")`}},
		"unreadable name": {sourceFiles("sql/001_a.sql", "sql/schema.sql"), nil, "sql/schema.sql",
			[]string{"V1__name.sql", "fs.Sub"}},
		"unreadable name, only file": {sourceFiles("schema.sql", "sql/001_a.sql"), nil, "schema.sql", []string{"fs.Sub"}},
		"unreadable undo":            {sourceFiles("001_a.sql", "down/a.sql"), nil, "down/a.sql", []string{"V1__name.sql"}},
		"upper case ending":          {sourceFiles("001_a.sql", "002_b.SQL"), nil, "002_b.SQL", []string{"lower case"}},
		"long name":                  {sourceFiles(long), nil, long, []string{"255 characters"}},
		"control character":          {sourceFiles("001_a\n.sql"), nil, `"001_a\n.sql"`, []string{"V1__name.sql"}},
		"same version": {sourceFiles("1_a.sql", "1_b.sql"), nil, "1_b.sql",
			[]string{"version 1 ", "1_a.sql", "another version"}},
		"1 and 001": {sourceFiles("1_a.sql", "001_b.sql"), nil, "1_a.sql", []string{"version 1 ", "001_b.sql"}},
		"V1 and 1":  {sourceFiles("1_a.sql", "V1__a.sql"), nil, "V1__a.sql", []string{"version 1 ", "1_a.sql"}},
		"split and not": {sourceFiles("20260101120000_a.sql", "20260101_120000_b.sql"), nil, "20260101_120000_b.sql",
			[]string{"version 20260101120000 ", "20260101120000_a.sql"}},
		"plain and .up.sql": {sourceFiles("1_a.sql", "1_a.up.sql"), nil, "1_a.up.sql", []string{"version 1 ", "1_a.sql"}},
		"file and function": {sourceFiles("001_a.sql"), []Function{{Version: 1, Name: "b", Up: true}}, "001_b.go",
			[]string{"version 1 ", "001_a.sql"}},
		"two functions": {nil, []Function{{Version: 1, Name: "a", Up: true}, {Version: 1, Name: "b", Up: true}}, "001_b.go",
			[]string{"version 1 ", "001_a.go"}},
		"undo without anything": {sourceFiles("001_a.sql", "down/002_b.sql"), nil, "down/002_b.sql",
			[]string{"because 002_b.sql does not exist", "remove it"}},
		"undo with another name": {sourceFiles("001_a.sql", "down/001_b.sql"), nil, "down/001_b.sql",
			[]string{"if it is for 001_a.sql, call it down/001_a.sql"}},
		".down.sql with another name": {sourceFiles("s/1_a.up.sql", "s/1_b.down.sql"), nil, "s/1_b.down.sql",
			[]string{"because s/1_b.up.sql does not", "if it is for 1_a.up.sql, call it s/1_a.down.sql"}},
		".down.sql for a plain file": {sourceFiles("1_a.sql", "1_a.down.sql"), nil, "1_a.down.sql",
			[]string{"call it down/1_a.sql"}},
		"undo of a function": {sourceFiles("down/001_a.sql"), []Function{{Version: 1, Name: "a", Up: true}}, "down/001_a.sql",
			[]string{"Go function a"}},
		"undos only": {sourceFiles("down/001_a.sql"), nil, "down/001_a.sql", []string{"bring that file back"}},
		"undo of repeatable": {sourceFiles("R__a.sql", "down/R__a.sql"), nil, "down/R__a.sql",
			[]string{"repeatable migration has no undo"}},
		"two undos": {sourceFiles("1_a.up.sql", "1_a.down.sql", "down/1_a.up.sql"), nil, "down/1_a.up.sql",
			[]string{"1_a.down.sql undoes 1_a.up.sql too"}},
		"an empty undo": {fstest.MapFS{"1_a.sql": {Data: []byte("SELECT 1")}, "down/1_a.sql": {Data: []byte(" \n")}}, nil,
			"down/1_a.sql", []string{"no statement"}},
		"V1.0 and V1":                         {sourceFiles("V1__a.sql", "V1.0__b.sql"), nil, "V1__a.sql", []string{"version 1 ", "V1.0__b.sql", "if one undoes the other"}},
		"20 digits":                           {sourceFiles("20180101120000123456_a.sql", "20180101120000123456-b.sql"), nil, "20180101120000123456_a.sql", []string{"version 20180101120000123456 "}},
		"an undo of Flyway without anything":  {sourceFiles("V1__a.sql", "U2__a.sql"), nil, "U2__a.sql", []string{"because V2__a.sql does not exist"}},
		"an undo of Flyway with another name": {sourceFiles("V1__a.sql", "U1__b.sql"), nil, "U1__b.sql", []string{"if it is for V1__a.sql, call it down/V1__a.sql"}},
		"two undos of Flyway":                 {sourceFiles("V1__a.sql", "U1__a.sql", "down/V1__a.sql"), nil, "down/V1__a.sql", []string{"U1__a.sql undoes V1__a.sql too"}},
		"no regular file":                     {fstest.MapFS{"1_a.sql": {Mode: fs.ModeNamedPipe}}, nil, "1_a.sql", []string{"no regular file"}},
	} {
		var files fs.FS
		if test.files != nil {
			files = test.files
		}
		_, err := Read(files, test.functions, false)
		var e *Error
		if !errors.As(err, &e) || e.File != test.file || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one *Error for %s", name, err, test.file)
			continue
		}
		for _, part := range append(test.parts, "pgdbm: "+test.file+": ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want in it %q", name, err, part)
			}
		}
	}
}

func TestSourceFunctionsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		function Function
		part     string
	}{
		"nil":         {Function{Version: 1, Name: "a"}, "001_a.go: the function is nil"},
		"only undo":   {Function{Version: 1, Name: "a", Down: true}, "001_a.go: the function is nil"},
		"negative":    {Function{Version: -1, Name: "a", Up: true}, "negative"},
		"no name":     {Function{Version: 1, Up: true}, "needs a name"},
		"slash":       {Function{Version: 1, Name: "a/b", Up: true}, "use letters"},
		"not UTF-8":   {Function{Version: 1, Name: "a\xff", Up: true}, "use letters"},
		"line break":  {Function{Version: 1, Name: "a\nb", Up: true}, `"001_a\nb.go": the name`},
		"a long name": {Function{Version: 1, Name: strings.Repeat("a", 249), Up: true}, "255 characters"},
	} {
		_, err := Read(nil, []Function{test.function}, false)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %v, want %q", name, err, test.part)
		}
	}
	ok := Function{Version: 0, Name: strings.Repeat("a", 248), Up: true}
	if s, err := Read(nil, []Function{ok}, false); err != nil || len(s) != 1 {
		t.Errorf("255 characters: %v", err)
	}
}

// TestSourceManyErrors wants all that is wrong in one go, and nothing twice.
func TestSourceManyErrors(t *testing.T) {
	t.Parallel()
	files := sourceFiles("001_a.sql", "001_b.sql", "down/001_b.sql", "schema.sql", "down/009_x.sql", "002_c.sql")
	files["003_d.sql"] = &fstest.MapFile{}
	_, err := Read(files, []Function{{Version: 2, Name: "c"}}, false)
	if err == nil {
		t.Fatal("no error")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		file, _, _ := strings.Cut(strings.TrimPrefix(line, "pgdbm: "), ":")
		got = append(got, file)
	}
	want := []string{"schema.sql", "001_b.sql", "002_c.go", "down/009_x.sql", "003_d.sql"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%v", got, want, err)
	}
}

func TestSourceNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files fs.FS
		parts []string
	}{
		"nil":     {nil, []string{"embed.FS", "migrations.Go"}},
		"empty":   {fstest.MapFS{}, []string{"in the root of the file system;", "fs.Sub"}},
		"too low": {sourceFiles("db/sql/001_a.sql", "docs/a.md"), []string{"root of the file system and in db, docs;", "fs.Sub"}},
	} {
		_, err := Read(test.files, nil, false)
		if !errors.Is(err, ErrNoMigrations) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range test.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v; want in it %q", name, err, part)
			}
		}
	}
	if s, err := Read(fstest.MapFS{}, []Function{{Name: "a", Up: true}}, false); err != nil || len(s) != 1 {
		t.Errorf("a function and no files: %v", err)
	}
	_, err := Read(Dir("does/not/exist"), nil, false)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
}

// show lists migrations with the files of their undos.
func show(migrations []*Migration) string {
	var b strings.Builder
	for _, m := range migrations {
		fmt.Fprintf(&b, "%d %s %s", m.Version, m.Name, m.File)
		if m.Down != nil {
			b.WriteString(" undo " + m.Down.File)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestSourceVersions has versions that are no int64.
func TestSourceVersions(t *testing.T) {
	t.Parallel()
	files := sourceFiles("V1.10__c.sql", "V1.2__b.sql", "U1.2__b.sql", "V1__a.sql", "down/U1__a.sql", "V2.Name.sql", "20180101120000123457_z.sql",
		"20180101120000123456_y.sql", "9223372036854775808.sql", "3-c.sql", "R__r.sql")
	got, err := Read(files, []Function{{Version: math.MaxInt64, Name: "x", Up: true}}, false)
	want := `1 a V1__a.sql undo down/U1__a.sql
1 b V1.2__b.sql undo U1.2__b.sql
1 c V1.10__c.sql
2 Name V2.Name.sql
3 c 3-c.sql
9223372036854775807 x 9223372036854775807_x.go
9223372036854775807  9223372036854775808.sql
9223372036854775807 y 20180101120000123456_y.sql
9223372036854775807 z 20180101120000123457_z.sql
0 r R__r.sql
`
	if err != nil || show(got) != want {
		t.Errorf("%v\n%s", err, show(got))
	}
}

// TestSourceFolders has migrations in folders of their own.
func TestSourceFolders(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"diesel": {sourceFiles("00000000000000_diesel_initial_setup/up.sql", "00000000000000_diesel_initial_setup/down.sql", "2018-01-02-120000_users/up.sql",
			"2018-01-02-120000_users/down.sql", "2017-12-31-120000_first/up.sql", ".keep"),
			"0 diesel_initial_setup 00000000000000_diesel_initial_setup/up.sql undo 00000000000000_diesel_initial_setup/down.sql\n" +
				"20171231120000 first 2017-12-31-120000_first/up.sql\n20180102120000 users 2018-01-02-120000_users/up.sql undo 2018-01-02-120000_users/down.sql\n"},
		"Prisma": {sourceFiles("prisma/0_init/migration.sql", "prisma/20210101120000_a/migration.sql", "prisma/20210101120000_a/down.sql", "prisma/migration_lock.toml"),
			"0 init 0_init/migration.sql\n20210101120000 a 20210101120000_a/migration.sql undo prisma/20210101120000_a/down.sql\n"},
		"mixed": {sourceFiles("1_a/up.sql", "2_b.sql", "down/1_a/down.sql", "down/2_b.sql", "3_c/readme.md", "R__r/up.sql"),
			"1 a 1_a/up.sql undo down/1_a/down.sql\n2 b 2_b.sql undo down/2_b.sql\n0 r R__r/up.sql\n"},
	} {
		got, err := Read(test.files, nil, true)
		if err != nil || show(got) != test.want {
			t.Errorf("%s: %v\n%s", name, err, show(got))
			continue
		}
		_, err = Read(test.files, nil, false)
		var e *Error
		if name != "mixed" && (!errors.As(err, &e) || !strings.HasSuffix(e.File, ".sql") || !strings.Contains(e.Reason, "migrations.Folders")) {
			t.Errorf("%s, without the option: %v", name, err)
		}
	}
}

func TestSourceFoldersRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files fstest.MapFS
		file  string
		part  string
	}{
		"another file":     {sourceFiles("1_a/up.sql", "1_a/data.sql"), "1_a/data.sql", "up.sql, or migration.sql"},
		"two migrations":   {sourceFiles("1_a/up.sql", "1_a/migration.sql"), "1_a/up.sql", "version 1 is that of 1_a/migration.sql too"},
		"two with one":     {sourceFiles("1_a/up.sql", "01_b/up.sql"), "1_a/up.sql", "version 1 "},
		"only the undo":    {sourceFiles("1_a/up.sql", "2_b/down.sql"), "2_b/down.sql", "2_b/up.sql does not exist"},
		"another's undo":   {sourceFiles("1_a/up.sql", "1_b/down.sql"), "1_b/down.sql", "if it is for 1_a/up.sql, call it 1_a/down.sql"},
		"no version":       {sourceFiles("1_a/up.sql", "a/up.sql"), "a/up.sql", "001_name.sql"},
		"an old undo":      {sourceFiles("R__a/up.sql", "R__a/down.sql"), "R__a/down.sql", "repeatable"},
		"both in one file": {fstest.MapFS{"1_a/up.sql": {Data: []byte("A;\n-- down\nB;")}}, "1_a/up.sql", "into up.sql and down.sql"},
		"a link":           {fstest.MapFS{"1_a/up.sql": {Data: []byte("A;")}, "2_b": {Data: []byte("../x"), Mode: fs.ModeSymlink}}, "2_b", "leads out"},
	} {
		_, err := Read(test.files, nil, true)
		var e *Error
		if !errors.As(err, &e) || e.File != test.file || !strings.Contains(e.Reason, test.part) {
			t.Errorf("%s: %v, want %s: %s", name, err, test.file, test.part)
		}
	}
}
