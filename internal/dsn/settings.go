package dsn

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/template"
)

// The keys that a DSN may have on top of pgx's.
const (
	KeySchema    = "schema"
	keyMode      = "schema_mode"
	keyRequired  = "schema_required"
	keyTemplates = "templates"
)

// Keys are all of them. It is never written to.
var Keys = []string{KeySchema, keyMode, keyRequired, keyTemplates}

// Settings are the values of the DSN's own keys.
type Settings struct {
	Schema     string // the DSN's schema, or ""
	SearchPath bool   // schema_mode=search_path
	Required   Required
	Syntax     template.Syntax
}

// Required says which statements are refused.
type Required uint8

// The values of Required.
const (
	RequireNothing Required = iota
	RequireSchema           // those without a schema
	RequireContext          // those without one from their context or transaction
)

// Take reads our keys from a config's parameters, where pgx puts every key that it does not know, and
// removes them: the server does not know them either.
func Take(config *pgx.ConnConfig) (Settings, error) {
	var s Settings
	values := make(map[string]string)
	for _, key := range Keys {
		if value, ok := config.RuntimeParams[key]; ok {
			values[key] = value
			delete(config.RuntimeParams, key)
		}
	}
	if err := checkSpelling(config.RuntimeParams); err != nil {
		return s, err
	}
	if name, ok := values[KeySchema]; ok {
		if err := checkDSNSchema(name); err != nil {
			return s, err
		}
		s.Schema = name
	}
	mode, err := choose(values, keyMode, "template", "search_path")
	if err != nil {
		return s, err
	}
	s.SearchPath = mode == 1 || mode < 0 && s.Schema != ""
	need, err := choose(values, keyRequired, "false", "true", "context")
	if err != nil {
		return s, err
	}
	s.Required = Required(max(need, 0))
	syntax, err := choose(values, keyTemplates, "both", "braces")
	if err != nil {
		return s, err
	}
	s.Syntax = template.Syntax(max(syntax, 0))
	return s, nil
}

// checkSpelling refuses keys that were meant to be ours. The server would refuse them too, but only at connect, and
// without saying what was meant. None of PostgreSQL's settings looks like them.
func checkSpelling(params map[string]string) error {
	for key := range params {
		lower := strings.ToLower(key)
		if strings.Contains(lower, ".") { // an extension's
			continue
		}
		for _, sign := range []string{"schema", "shema", "scheme", "templat"} {
			if strings.Contains(lower, sign) {
				return &Error{Key: key, Reason: "it is unknown; did you mean one of " + strings.Join(Keys, ", ") + "?"}
			}
		}
	}
	return nil
}

func checkDSNSchema(name string) error {
	if name == "" {
		return &Error{Key: KeySchema, Reason: "it is empty; leave the key out for no schema"}
	}
	if holdsPassword(name) {
		return &Error{Key: KeySchema, Reason: "password= is a part of its value; " +
			"a URL's keys are separated by &, those of a DSN of keywords by spaces"}
	}
	return template.CheckSchema(name)
}

// choose returns the index of a key's value among those that it can have, or -1 if the key is not there.
func choose(values map[string]string, key string, allowed ...string) (int, error) {
	value, ok := values[key]
	if !ok {
		return -1, nil
	}
	i := slices.Index(allowed, value)
	if i < 0 {
		if end := strings.IndexFunc(value, notWord); end >= 0 {
			value = value[:end] + "..." // behind it, another key may have been meant to begin, such as the password
		}
		return 0, &Error{Key: key, Reason: fmt.Sprintf("%q is not one of %s", value, strings.Join(allowed, ", "))}
	}
	return i, nil
}

func notWord(r rune) bool { return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }
