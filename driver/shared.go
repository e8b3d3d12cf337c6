package driver

import (
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// shared remembers the types of templates that are the same in all schemas as far as is known, so that a schema's first
// one-shot need not ask for them. It is safe for concurrent use.
//
// Tenants differ: an enum has another OID in each schema, and while a migration goes through them a column has another
// type in some. If the columns differ, the rows say so. Parameters do not: the server converts a value from the type that
// it was said to have into the column's. That loses digits (real for double precision), hours (timestamp for timestamptz)
// or the case of a comparison (text for citext), without an error. Integers become what they would have become anyway, or
// an error. So types are lent only to statements whose arguments are integers, or that have none; and not in a
// transaction, which the error would abort.
type shared struct{ templates *descriptions }

// maxTemplates is how many templates are remembered, at most twice.
const maxTemplates = 1 << 12

// firstOwnOID is the first OID of types that are not the same in every database, let alone schema.
const firstOwnOID = 16384

// perSchema stands in for the types of a template that are not the same in all schemas.
var perSchema = &pgconn.StatementDescription{}

func newShared() *shared { return &shared{newDescriptions(maxTemplates)} }

// learn takes note of what the server said about a template in one schema.
func (s *shared) learn(o *order, types *pgconn.StatementDescription) {
	hash := template.Hash(o.query)
	known := s.templates.get(hash, 0)
	switch {
	case known == nil && hasOwnType(types), known != nil && !sameTypes(known, types):
		s.templates.set(hash, perSchema)
	case known == nil:
		s.templates.set(hash, types)
	}
}

func hasOwnType(types *pgconn.StatementDescription) bool {
	for _, oid := range types.ParamOIDs {
		if oid >= firstOwnOID {
			return true
		}
	}
	for i := range types.Fields {
		if types.Fields[i].DataTypeOID >= firstOwnOID {
			return true
		}
	}
	return false
}

// differ takes note that a template's types were not those of the schema that they were lent to.
func (s *shared) differ(o *order) { s.templates.set(template.Hash(o.query), perSchema) }

// lent returns the types that the template has in other schemas, or nil if this statement has to ask for its own.
func (c *conn) lent(o *order, memory *descriptions, args []any) *pgconn.StatementDescription {
	if memory != c.connector.descriptions || c.txStatus() != 'I' || !onlyIntegers(args) {
		return nil
	}
	types := c.connector.shared.templates.get(template.Hash(o.query), 0)
	if types == perSchema {
		return nil
	}
	return types
}

func onlyIntegers(args []any) bool {
	for _, arg := range args {
		switch arg.(type) {
		case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		default:
			return false
		}
	}
	return true
}
