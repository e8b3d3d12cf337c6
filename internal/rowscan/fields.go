package rowscan

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jmoiron/sqlx/reflectx"
)

func isScanner(t reflect.Type) bool { return reflect.PointerTo(t).Implements(scannerType) }

// isValue says whether a row of n columns fills a t as one value, rather than its fields or entries.
func isValue(t reflect.Type, mapper *reflectx.Mapper, n int) bool {
	switch {
	case isScanner(t):
		return true
	case t.Kind() == reflect.Map:
		return !t.ConvertibleTo(reflect.TypeFor[map[string]any]())
	case t.Kind() != reflect.Struct:
		return true
	}
	return n == 1 && isPgxValue(t) || len(mapper.TypeMap(t).Index) == 0
}

// isPgxValue says whether a struct is one value to pgx, though it has exported fields.
func isPgxValue(t reflect.Type) bool {
	switch reflect.New(t).Interface().(type) {
	case pgtype.ArraySetter, pgtype.RangeScanner, pgtype.CompositeIndexScanner, pgtype.BytesScanner, *net.IPNet:
		return true
	}
	return false
}

// structure plans for the fields of a struct.
func (r *Row) structure(v reflect.Value, opts Options) error {
	names := opts.Mapper.TypeMap(v.Type()).Names
	r.columns = make([]target, 0, len(r.fields))
	var blocks map[*reflectx.FieldInfo]reflect.Value
	for i := range r.fields {
		info := names[r.fields[i].Name]
		c := target{index: i, field: info}
		if info == nil {
			if opts.Unsafe {
				continue
			}
			return r.fail(&c, missing(r.fields[i].Name, names))
		}
		c.typ = info.Field.Type
		if other := r.overlap(info); other != nil && !opts.Unsafe {
			return r.fail(&c, reason(fmt.Sprintf("column %d, %q, goes there too; rename one with AS, or select it once",
				other.index+1, r.fields[other.index].Name)))
		}
		if blocks == nil && len(info.Index) > 1 {
			blocks = make(map[*reflectx.FieldInfo]reflect.Value)
		}
		dst := r.field(v, info, blocks)
		if !dst.CanSet() {
			return r.fail(&c, errReadOnly)
		}
		if r.keep {
			dst.SetZero() // a fill finds zero memory
		}
		c.fill = column{r.m, &r.fields[i]}.fill(dst)
		r.columns = append(r.columns, c)
	}
	return nil
}

// overlap returns the column that goes to the same field, or to a part of it, or to what it is a part of.
func (r *Row) overlap(info *reflectx.FieldInfo) *target {
	for i := range r.columns {
		if other := r.columns[i].field; isPart(info, other) || isPart(other, info) {
			return &r.columns[i]
		}
	}
	return nil
}

// isPart says whether a field is the same as another one, or in it.
func isPart(part, whole *reflectx.FieldInfo) bool {
	for len(part.Index) > len(whole.Index) {
		part = part.Parent
	}
	return part == whole
}

// field returns the field, behind pointers in their blocks. It cannot be set if the way to it cannot.
func (r *Row) field(v reflect.Value, info *reflectx.FieldInfo, blocks map[*reflectx.FieldInfo]reflect.Value) reflect.Value {
	parent := info.Parent
	if len(info.Index) > 1 {
		v = r.field(v, parent, blocks)
		if v.Kind() == reflect.Pointer {
			b, ok := blocks[parent]
			if !ok {
				if !v.CanSet() {
					return v
				}
				b = r.block(v)
				blocks[parent] = b
			}
			v = b
		}
	}
	return v.Field(info.Index[len(info.Index)-1])
}

// maxNames bounds how many names an error lists.
const maxNames = 12

// missing describes that no field goes by the column's name, and names those that there are.
func missing(column string, names map[string]*reflectx.FieldInfo) reason {
	sorted := slices.SortedFunc(maps.Keys(names), func(a, b string) int { // the struct's own fields first
		return cmp.Or(strings.Count(a, ".")-strings.Count(b, "."), strings.Compare(a, b))
	})
	for _, name := range sorted {
		if plain(name) == plain(column) {
			return reason(fmt.Sprintf("no field has that name; field %s has the name %q: tag it `db:%q`",
				names[name].Field.Name, name, column))
		}
	}
	if len(sorted) == 0 {
		return "it has no fields for columns"
	}
	if len(sorted) > maxNames {
		sorted = append(sorted[:maxNames], "...")
	}
	return reason("no field has that name; there are " + strings.Join(sorted, ", "))
}

// plain is a name without what most often makes a difference.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
