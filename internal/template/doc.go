// Package template finds {{tables.users}} and its relatives in SQL text and writes the text for one schema.
//
// Work is split in two. [Parse] reads a text once, whatever the schema, and remembers where the templates are and
// what else the driver has to know about the text ([Info]). [Statement.Expand] then writes the text for a schema. A
// [Cache] remembers both, in bounded memory.
//
// # What is a template
//
//	{{tables.users}}  {{schema}}  {{tables.audit.events}}     in SQL, outside quotes; <<...>> means the same
//	"{{tables.users}}"  "{{tables"."users}}"  "{{schema}}"    what ORMs make of it when they quote names
//	"users}}"."id"                                            its tail alone, if the statement has the opener
//	'{{tables.users}}'::regclass                              a whole literal, cast to a reg type at once
//
// Everything else inside literals, quoted identifiers and comments is left alone, and so are the insides of
// dollar-quoted strings, except for the bodies of CREATE FUNCTION, CREATE PROCEDURE and DO, which are SQL again.
//
// An unknown or unfinished {{ in SQL is an [Error] with its line and column, because PostgreSQL could not run it. A
// << that is not exactly a template is the shift operator and is left alone.
//
// # What it never does
//
// A text without templates comes out as it went in, byte for byte and without an allocation. What comes out holds no
// template: expanding it again changes nothing, and where two templates are nested so that this would not hold, the
// result is an Error. A schema name can end no quote: it is checked by [CheckSchema] and quoted for its place.
package template
