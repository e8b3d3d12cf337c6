package named

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/jmoiron/sqlx/reflectx"
)

// Bind returns the statement and the values of its parameters, in the order of their numbers. The argument is one of
// these, or a pointer to one:
//
//   - a map with keys of a string type. A parameter without a key is an [*Error], and so is a key without a parameter;
//   - a struct, whose fields have the names that mapper gives them. A parameter without a field is an [*Error]. Fields
//     may be left over, since a struct is often the whole row of a table;
//   - a slice or array of those: for one row it is as if the row itself were given; for more, the statement is a batch.
//
// In a batch the only tuple of the statement's VALUES is written once for each row, each with parameters of its own:
// VALUES ($1, $2), ($3, $4). All parameters of the statement have to be in that tuple, and PostgreSQL takes 65535 at
// most. No rows are an error.
//
// Values are passed on as they are; a driver.Valuer is not asked for its value. A nil pointer is NULL, whether it is
// the field itself or stands on the way to it.
func (q *Query) Bind(mapper *reflectx.Mapper, arg any) (sql string, args []any, err error) {
	v := indirect(reflect.ValueOf(arg))
	if !v.IsValid() || v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		args, err = q.Args(mapper, arg)
		return q.sql, args, err
	}
	if !isRow(v.Type().Elem()) {
		return "", nil, wrongArgument(v.Type().String(), 0)
	}
	switch v.Len() {
	case 0:
		return "", nil, fmt.Errorf("pgdbm: named parameters: the %s is empty: there is no row to take the values from; "+
			"do not run the statement then", v.Type())
	case 1:
		args, err = q.Args(mapper, v.Index(0).Interface())
		return q.sql, args, err
	}
	return q.bindBatch(mapper, v)
}

// Args returns the values that belong to [Query.SQL], from a map or a struct as in [Query.Bind]. It is for a statement
// that was prepared already and cannot become a batch: a slice is an error.
func (q *Query) Args(mapper *reflectx.Mapper, arg any) ([]any, error) {
	r := reader{query: q, mapper: mapper}
	return r.appendRow(make([]any, 0, len(q.names)), reflect.ValueOf(arg), 0)
}

// reader takes the values of the names out of one row after another.
type reader struct {
	query  *Query
	mapper *reflectx.Mapper

	rowType reflect.Type // of the last struct, to look its fields up only once in a batch
	paths   [][]int
}

// appendRow appends the values of a row. Its number is 0 if it is the only one.
func (r *reader) appendRow(args []any, row reflect.Value, number int) ([]any, error) {
	v := indirect(row)
	switch {
	case !v.IsValid():
		return nil, nilArgument(row, number)
	case v.Kind() == reflect.Struct:
		return r.appendFields(args, v, number)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return r.appendValues(args, v, number)
	}
	return nil, wrongArgument(v.Type().String(), number)
}

func (r *reader) appendFields(args []any, v reflect.Value, number int) ([]any, error) {
	if v.Type() != r.rowType {
		fields := r.mapper.TypeMap(v.Type()).Names
		paths := make([][]int, len(r.query.names))
		var missing []string
		for i, name := range r.query.names {
			if field := fields[name]; field != nil {
				paths[i] = field.Index
			} else {
				missing = append(missing, name)
			}
		}
		if missing != nil {
			e := r.mismatch(v, number)
			e.Missing, e.Given = distinct(missing), slices.Sorted(maps.Keys(fields))
			return nil, e
		}
		r.rowType, r.paths = v.Type(), paths
	}
	for _, path := range r.paths {
		args = append(args, fieldValue(v, path))
	}
	return args, nil
}

// fieldValue returns what stands at the end of path, nil if a pointer on the way is nil.
func fieldValue(v reflect.Value, path []int) any {
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v.Interface()
}

func (r *reader) appendValues(args []any, v reflect.Value, number int) ([]any, error) {
	var missing []string
	for _, name := range r.query.names {
		if value := v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())); value.IsValid() {
			args = append(args, value.Interface())
		} else {
			missing = append(missing, name)
		}
	}
	if missing == nil && v.Len() == len(r.query.distinct) {
		return args, nil // so there is no other key
	}
	e := r.mismatch(v, number)
	e.Missing = distinct(missing)
	for _, key := range v.MapKeys() {
		e.Given = append(e.Given, key.String())
		if !slices.Contains(r.query.distinct, key.String()) {
			e.Unused = append(e.Unused, key.String())
		}
	}
	slices.Sort(e.Given)
	slices.Sort(e.Unused)
	return nil, e
}

func (r *reader) mismatch(v reflect.Value, number int) *Error {
	return &Error{Names: slices.Clone(r.query.distinct), Type: v.Type().String(), Row: number} // the Query keeps its own names
}

// indirect follows pointers and interfaces to a value. It returns the zero Value if one of them is nil.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// isRow reports whether values of type t can be the rows of a batch. Those of an interface have to show it later.
func isRow(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map || t.Kind() == reflect.Interface
}

func nilArgument(row reflect.Value, number int) error {
	if row.IsValid() && row.Kind() != reflect.Interface {
		return wrongArgument("a nil "+row.Type().String(), number)
	}
	return wrongArgument("nil", number)
}

// wrongArgument is the error for an argument that is not what it has to be; for a row of a batch if number is not 0.
func wrongArgument(is string, number int) error {
	what := "the argument"
	if number > 0 {
		what = fmt.Sprintf("row %d of the argument", number)
	}
	return fmt.Errorf("pgdbm: named parameters: %s is %s; it has to be a struct, a map with string keys, "+
		"or a slice of those for a batch INSERT", what, is)
}
