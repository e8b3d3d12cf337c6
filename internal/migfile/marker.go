package migfile

import (
	"strings"
	"unicode"
)

// commands are what the comments begin with that are commands to a tool which has a migration and its undo in one file.
var commands = []struct{ begins, tool string }{
	{"+goose ", "goose"}, {"+migrate ", "sql-migrate"}, {"+micrate ", "micrate"}, {"migrate:up", "dbmate"}, {"migrate:down", "dbmate"},
	{"create above / drop below", "tern"},
}

// halves are the words that comments consist of with which other tools begin the undo, true, or the migration, false.
var halves = map[string]bool{
	"down": true, "downs": true, "downgrade": true, "undo": true, "rollback": true, "rollbackquery": true, "revert": true,
	"up": false, "ups": false, "upgrade": false,
}

// fillers are words that may stand beside those.
const fillers = " migration migrations migrate script section part sql query begin start rambler "

// otherTool returns the name of the migration tool that the comment is a marker of, or "". A line that begins the half which the file is
// meant for changes nothing.
func (s *Script) otherTool(comment string) string {
	text := strings.ReplaceAll(strings.ToLower(strings.TrimLeft(comment, "-/*; \t")), "roll back", "rollback")
	for _, c := range commands {
		if strings.HasPrefix(text, c.begins) {
			return c.tool
		}
	}
	found := false
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' && !unicode.IsLetter(r) }) {
		undo, ok := halves[word]
		if ok && undo != s.undo {
			found = true
		} else if ok || !strings.Contains(fillers, " "+word+" ") {
			return ""
		}
	}
	switch {
	case !found:
		return ""
	case strings.HasPrefix(text, "@undo"):
		return "MyBatis Migrations and dbdeploy"
	case strings.HasPrefix(text, "!"):
		return "Play"
	case strings.HasPrefix(text, "rambler "):
		return "rambler"
	case strings.HasSuffix(text, "migration"):
		return "node-pg-migrate"
	}
	return "other migration tools"
}
