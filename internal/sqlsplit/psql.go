package sqlsplit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// command adds the psql command whose backslash is at start, or refuses it. Inside of a statement, which begins before it, none is ignored.
func (s *splitter) command(start int, inside bool) error {
	line := firstLine(s.text[start:])
	body := strings.TrimRight(line, " \t\r\n\f\v")
	name := commandName(body)
	if inside || name != `\restrict` && name != `\unrestrict` {
		return newError(s.text, start, name, advice(name))
	}
	// More than what pg_dump writes could be a statement, which would be passed over.
	if key := strings.Trim(body[len(name):], " \t"); key == "" || strings.ContainsFunc(key, notAlphanumeric) {
		return newError(s.text, start, name, "it takes one word of letters and digits, and nothing else on its line")
	}
	s.add(PsqlIgnored, start, start+len(body), start+len(line))
	s.lex.Seek(s.end)
	return nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// commandName returns the name with its backslash: letters, or any single character. It goes into an error, so it is
// short and can be printed.
func commandName(s string) string {
	const most = 24
	end := 1
	for end < len(s) && end < most && s[end] < utf8.RuneSelf && sqllex.IsWordByte(s[end]) {
		end++
	}
	if r, size := utf8.DecodeRuneInString(s[1:]); end == 1 && unicode.IsGraphic(r) && r != utf8.RuneError && r != ' ' {
		end += size
	}
	return s[:end]
}

// advice says what to do about a command that only psql understands.
func advice(name string) string {
	const only = "it is a command of psql, not SQL; "
	switch name {
	case `\.`:
		return "it ends the rows of COPY ... FROM stdin, and there are none before it"
	case `\c`, `\connect`:
		return only + "a migration runs in the database that the program is connected to: remove the line"
	case `\i`, `\include`, `\ir`, `\include_relative`:
		return only + "put the text of that file here, or make it a migration of its own"
	case `\copy`:
		return only + "write COPY ... FROM stdin; with the rows on the lines behind it and a line \\. at their end"
	case `\set`, `\unset`, `\gset`, `\prompt`, `\getenv`:
		return only + "psql's variables do not exist here: write the values into the SQL"
	case `\if`, `\elif`, `\else`, `\endif`:
		return only + "write the condition in SQL, in a DO block"
	case `\gexec`:
		return only + "write it in a DO block, with EXECUTE for each row"
	case `\;`:
		return only + "write a semicolon without it"
	case `\g`, `\gx`, `\gdesc`, `\watch`, `\crosstabview`:
		return only + "end the statement with a semicolon"
	}
	return only + "remove it"
}
