// Package named writes statements with named parameters, or with sqlx's question marks, as PostgreSQL has them: with
// $1, $2 and so on.
//
// [Parse] reads a text once; a [Cache] remembers what it found. [Query.Bind] takes the values out of a map, a struct,
// or a slice of those. [Rebind] and [In] are for question marks. All of them read the text with package sqllex, so
// literals, quoted identifiers, comments, dollar-quoted strings and the templates of package template come out as
// they went in, byte for byte.
//
// # What is a parameter
//
// A colon and a name that follows at once: a letter or underscore, and then letters, digits and underscores, of any
// alphabet. Dots may stand between them, as in :user.name; in :rec.* the name ends before the dot. These are none:
//
//	id::text  :id::text     a cast, in which :id is one; ::name is a cast always, also in a[:lo::hi]
//	f(a := 1)  f(a => 1)    arguments by name
//	a[1:2]  a[lo:hi]        slices: 2 starts no name, and the second colon touches what stands before it
//	JSON_OBJECT('k':v)      the colon touches what stands before it
//
// The last two need a rule, because a[lo:hi] could have a parameter too. Directly inside a pair of square brackets,
// and inside the parentheses of JSON_OBJECT and JSON_OBJECTAGG, a colon that touches the end of an operand belongs to
// PostgreSQL. What follows such a colon needs a space to be a parameter: a[lo: :hi], a[:lo : :hi], but a[:i] and
// JSON_OBJECT('k': :v) as they are.
//
// For the sake of texts that were written for sqlx, whose own parser reads :: as an escape, :::: is a cast too.
//
// # Numbers
//
// As in sqlx, each use of a name is a parameter of its own: PostgreSQL looks for a type for each, so that one name can
// stand where text is wanted and where varchar is. It does not see that two uses have the same value either. Where that
// matters, as in GROUP BY date_trunc(:unit, t), give the expression a name with AS, and group by that. Where the type of
// a use cannot be told, as in :x IS NULL, cast it: :x::int IS NULL.
//
// # Question marks
//
// A ? is a parameter (a bindvar) where an operand has to stand, and PostgreSQL's operator between two operands: in
// j ? ? the first is the operator. So are ?| and ?& behind an operand, and @? anywhere. In doubt it is a bindvar,
// because so it is in sqlx; ?? is always the operator ?, whatever stands around it. The operators of geometric types
// and of ltree that start with a question mark, such as ?- and ?@>, have to be written with two.
package named
