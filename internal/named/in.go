package named

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
)

// In writes ?, ?, ? for each bindvar ? of a text whose argument is a slice, and returns the arguments one by one. Its
// result is for [Rebind], which has the same idea of what is a bindvar. A []byte and its like are values and no
// slices, and so is a driver.Valuer.
//
// Without slices both come back as they are. With some, it is an error if one is empty, or if there are not as many
// arguments as bindvars.
func In(text string, args ...any) (string, []any, error) {
	total, slices := 0, 0
	for i, arg := range args {
		n, ok := sliceLen(arg)
		if ok && n == 0 {
			return "", nil, fmt.Errorf("pgdbm: In: argument %d of %d, a %T, is empty, and IN () is no SQL: "+
				"do not run the statement then, or use = ANY with an array, which may be empty", i+1, len(args), arg)
		}
		if ok {
			slices++
		}
		total += n
	}
	if slices == 0 {
		return text, args, nil
	}
	marks := questionMarks(text)
	bindvars := 0
	for _, m := range marks {
		if m.bindvar {
			bindvars++
		}
	}
	if bindvars != len(args) {
		return "", nil, fmt.Errorf("pgdbm: In: the statement has %d bindvars, and there are %d arguments; "+
			"a bindvar is a ? that is no operator, in a text without $1", bindvars, len(args))
	}
	sql, flat := expand(text, marks, args, total)
	return sql, flat, nil
}

func expand(text string, marks []mark, args []any, total int) (string, []any) {
	var out strings.Builder
	flat := make([]any, 0, total)
	copied := 0
	for _, m := range marks {
		if !m.bindvar {
			continue // ?? is for Rebind
		}
		arg := args[0]
		args = args[1:]
		out.WriteString(text[copied:m.end])
		copied = m.end
		n, ok := sliceLen(arg)
		if !ok {
			flat = append(flat, arg)
			continue
		}
		out.WriteString(strings.Repeat(", ?", n-1))
		for i := range n {
			flat = append(flat, reflect.ValueOf(arg).Index(i).Interface())
		}
	}
	out.WriteString(text[copied:])
	return out.String(), flat
}

// sliceLen returns how many bindvars arg needs, and whether it is a slice that has to be expanded.
func sliceLen(arg any) (n int, ok bool) {
	if _, isValuer := arg.(driver.Valuer); isValuer {
		return 1, false
	}
	v := reflect.ValueOf(arg)
	if v.Kind() != reflect.Slice || v.Type().Elem() == reflect.TypeFor[byte]() {
		return 1, false
	}
	return v.Len(), true
}
