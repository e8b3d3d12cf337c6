package migfile

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxFileName is the width of the history's column, in characters.
	maxFileName = 255

	acceptedNames = "001_name.sql, V1__name.sql, 20260101120000_name.sql, 20260101_120000_name.sql, 001_name.up.sql with " +
		"001_name.down.sql, and R__name.sql"
	notAMigration = "a migration's file has another name: " + acceptedNames + " are understood. Rename the file, move it to " +
		"another folder, or pass the folder of the migrations with fs.Sub"
)

// style is how the files of a folder are named, besides version and name.
type style struct {
	prefix string // V, or nothing
	width  int    // how many digits the version has
	split  bool   // the digits are 20260101_120000
	upDown bool   // .up.sql and .down.sql, as for golang-migrate
}

// fileName is what the name of a migration's file says.
type fileName struct {
	file    string
	kind    Kind
	version int64
	name    string
	style   style
	undo    bool // .down.sql
}

// parseName reads the name of a migration's file. If it is none, reason says so and what to do; else reason is "".
func parseName(file string) (n fileName, reason string) {
	stem, ok := strings.CutSuffix(file, ".sql")
	if !ok {
		return fileName{}, "the name has to end with .sql in lower case: rename the file"
	}
	if reason = checkFileName(file); reason != "" {
		return fileName{}, reason
	}
	n.file = file
	if name, ok := strings.CutPrefix(stem, "R__"); ok {
		n.kind, n.name = Repeatable, name
		return n.checked()
	}
	if up, ok := strings.CutSuffix(stem, ".up"); ok {
		stem, n.style.upDown = up, true
	} else if down, ok := strings.CutSuffix(stem, ".down"); ok {
		stem, n.style.upDown, n.undo = down, true, true
	}
	digits := n.parseStem(stem)
	if digits == "" {
		return fileName{}, notAMigration
	}
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return fileName{}, "the version does not fit into 64 bits: it can be 9223372036854775807 at most"
	}
	n.version, n.style.width = version, len(digits)
	return n.checked()
}

// parseStem reads the name without its ending, and returns the digits of the version, or "" if there are none.
func (n *fileName) parseStem(stem string) (digits string) {
	if rest, ok := strings.CutPrefix(stem, "V"); ok {
		digits, rest = cutDigits(rest)
		name, ok := strings.CutPrefix(rest, "__")
		if !ok {
			return ""
		}
		n.style.prefix, n.name = "V", name
		return digits
	}
	digits, rest := cutDigits(stem)
	name, ok := strings.CutPrefix(rest, "_")
	if !ok {
		return ""
	}
	const date, clock = len("20260101"), len("120000")
	if time, rest := cutDigits(name); len(digits) == date && len(time) == clock && (rest == "" || rest[0] == '_') {
		// With no name behind it, 20260101_120000 is refused. As version 20260101 it would run before all others.
		n.style.split = true
		digits, name = digits+time, strings.TrimPrefix(rest, "_")
	}
	n.name = name
	return digits
}

// checked returns n if its name is one.
func (n fileName) checked() (fileName, string) {
	if !isName(n.name) {
		return fileName{}, notAMigration
	}
	switch lower := strings.ToLower(n.name); {
	case !strings.HasSuffix(lower, ".up") && !strings.HasSuffix(lower, ".down"):
		return n, ""
	case n.kind == Repeatable:
		return fileName{}, "a repeatable migration has no undo: the next change of its file replaces it. Name it R__name.sql"
	}
	return fileName{}, "one .up or .down in lower case can stand before .sql: rename the file"
}

// upFile returns the name of the migration's file that n, found as an undo, belongs to.
func (n fileName) upFile() string {
	if n.undo {
		return strings.TrimSuffix(n.file, ".down.sql") + ".up.sql"
	}
	return n.file
}

// undoFile returns the name of the undo's file that belongs to the migration n.
func (n fileName) undoFile() string {
	if n.style.upDown {
		return strings.TrimSuffix(n.file, ".up.sql") + ".down.sql"
	}
	return undoFolder + "/" + n.file
}

// cutDigits returns the ASCII digits at the start of s, and the rest.
func cutDigits(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
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
