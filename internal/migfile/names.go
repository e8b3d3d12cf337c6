package migfile

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxFileName is the width of the history's column, in characters.
	maxFileName = 255

	acceptedNames = "001_name.sql, 001-name.sql, 001.sql, V1__name.sql, V1.1__name.sql with U1.1__name.sql, 20260101120000_name.sql, " +
		"20260101_120000_name.sql, 001_name.up.sql with 001_name.down.sql, and R__name.sql"
	notAMigration = "a migration's file has another name: " + acceptedNames + " are understood. Rename the file, move it to " +
		"another folder, or pass the folder of the migrations with fs.Sub"
	notInFolder = "in a migration's folder there can be up.sql, or migration.sql, and down.sql: rename the file, or move it out of the folders"
)

// numbered and ofFlyway match a name without its ending: V or U, the version, what stands before the name, and the name.
var (
	numbered = regexp.MustCompile(`^()(\d{8}[_-]\d{6}|[12]\d{3}-[01]\d-[0-3]\d(?:-\d{6}(?:-\d{4})?)?|\d+(?:\.\d+)*)(?:([_-])(.*))?$`)
	ofFlyway = regexp.MustCompile(`^([VU])(\d+(?:[._]\d+)*)(?:(__|\.)(.*))?$`)
)

// style is how the files of a folder are named, besides version and name.
type style struct {
	prefix  string // V, or nothing
	between string // what stands before the name, or "" if there is none
	upDown  bool   // .up.sql and .down.sql, as for golang-migrate
}

// fileName is what the name of a migration's file says.
type fileName struct {
	file    string
	kind    Kind
	number  string // the version as it is written
	version string // in its shortest form, such as 1.10; "" for a repeatable migration
	name    string
	style   style
	undo    bool // .down.sql, or U, or down.sql in the migration's folder
}

// parseName reads the name of a migration's file, with its folder if it has one of its own. If it is none, reason says so and what to do;
// else reason is "".
func parseName(file string) (n fileName, reason string) {
	stem, ok := strings.CutSuffix(file, ".sql")
	if !ok {
		return fileName{}, "the name has to end with .sql in lower case: rename the file"
	}
	if reason = checkFileName(file); reason != "" {
		return fileName{}, reason
	}
	n.file = file
	folder, inFolder := ownFolder(file)
	switch {
	case inFolder:
		stem, n.undo = folder, path.Base(file) == "down.sql"
	case strings.Contains(file, "/"):
		return fileName{}, notInFolder
	}
	if name, ok := strings.CutPrefix(stem, "R__"); ok {
		n.kind, n.name = Repeatable, name
		return n.checked(stem)
	}
	if up, ok := strings.CutSuffix(stem, ".up"); ok && !inFolder {
		stem, n.style.upDown = up, true
	} else if down, ok := strings.CutSuffix(stem, ".down"); ok && !inFolder {
		stem, n.style.upDown, n.undo = down, true, true
	}
	dashes := strings.NewReplacer("_", "", "-", "")
	match := numbered.FindStringSubmatch(stem)
	if match == nil {
		match, dashes = ofFlyway.FindStringSubmatch(stem), strings.NewReplacer("_", ".")
	}
	if match == nil || match[1] == "U" && (inFolder || n.style.upDown) {
		return fileName{}, notAMigration
	}
	n.number, n.version = match[2], shortest(dashes.Replace(match[2]))
	n.style.prefix, n.style.between, n.name = strings.Replace(match[1], "U", "V", 1), match[3], match[4]
	n.undo = n.undo || match[1] == "U"
	return n.checked(stem)
}

// ownFolder returns the folder of a migration that has one of its own.
func ownFolder(file string) (folder string, ok bool) {
	folder, name := path.Dir(file), path.Base(file)
	return folder, folder != "." && (name == "up.sql" || name == "down.sql" || name == "migration.sql")
}

// checked returns n if its name is one. Stem is what the name was read from.
func (n fileName) checked(stem string) (fileName, string) {
	nameless := n.name == "" && n.kind == Versioned && n.style.between == ""
	if !isName(n.name) && !nameless || n.style.between == "." && strings.IndexFunc(n.name, unicode.IsLetter) != 0 {
		return fileName{}, notAMigration
	}
	switch lower := strings.ToLower(stem); {
	case !strings.HasSuffix(lower, ".up") && !strings.HasSuffix(lower, ".down"):
		return n, ""
	case n.kind == Repeatable:
		return fileName{}, "a repeatable migration has no undo: the next change of its file replaces it. Name it R__name.sql"
	}
	return fileName{}, "one .up or .down in lower case can stand before .sql: rename the file"
}

// shortest returns a version without zeros that mean nothing: 01.10.0 is 1.10.
func shortest(version string) string {
	parts := strings.Split(version, ".")
	for i, part := range parts {
		parts[i] = cmp.Or(strings.TrimLeft(part, "0"), "0")
	}
	for len(parts) > 1 && parts[len(parts)-1] == "0" {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, ".")
}

// compareVersions compares versions in their shortest form part by part, as numbers of any length: 2 comes before 10, and 1.2 before 1.10.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// firstPart returns the first part of a version, or the highest number if it is higher than that.
func firstPart(version string) int64 {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.ParseInt(first, 10, 64) // with an error for a number that is too high, it returns the highest
	return n
}

// upFile returns the name of the migration's file that n, found as an undo, belongs to.
func (n fileName) upFile() string {
	folder, inFolder := ownFolder(n.file)
	switch {
	case !n.undo:
		return n.file
	case inFolder:
		return folder + "/up.sql"
	case n.style.upDown:
		return strings.TrimSuffix(n.file, ".down.sql") + ".up.sql"
	}
	return strings.Replace(n.file, "U", "V", 1)
}

// undoFile returns the name of the undo's file that belongs to the migration n.
func (n fileName) undoFile() string {
	folder, inFolder := ownFolder(n.file)
	switch {
	case inFolder:
		return folder + "/down.sql"
	case n.style.upDown:
		return strings.TrimSuffix(n.file, ".up.sql") + ".down.sql"
	}
	return undoFolder + "/" + n.file
}

// isName reports whether s can be the name part of a file's name on any system.
func isName(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsAny(s, `/\`) && !strings.ContainsFunc(s, unprintable)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// checkFileName returns why the name cannot stand in the history, or "".
func checkFileName(file string) string {
	switch {
	case !utf8.ValidString(file):
		return "the file's name is not UTF-8: rename the file"
	case utf8.RuneCountInString(file) > maxFileName:
		return "the file's name is longer than the 255 characters that the history has room for: rename the file"
	}
	return ""
}

// printable returns a file's name for an error.
func printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, unprintable) {
		return name
	}
	return strconv.Quote(name)
}
