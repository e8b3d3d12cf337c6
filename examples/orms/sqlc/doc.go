// Package sqlc shows code that sqlc generates for database/sql on pgdbm. Both ways work, and Go's code is the same:
//
//   - In folder bare the tables have their bare names, for schema_mode=search_path.
//   - In folder template they are called "{{tables.users}}", in schema.sql and query.sql. The quotes are for sqlc's parser, which
//     refuses braces without them. Other forms of templates it does not take.
//
// The schema.sql is for sqlc alone, which learns the columns from it.
package sqlc

//go:generate go tool -modfile=sqlc.mod sqlc generate
