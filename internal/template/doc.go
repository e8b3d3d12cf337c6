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
// dollar-quoted strings, except for the bodies of CREATE FUNCTION, CREATE PROCEDURE and DO, which are SQL again. In a
// body, a <<schema>> that begins a statement and stands before LOOP, WHILE, FOR, FOREACH, BEGIN or DECLARE is a label
// of PL/pgSQL.
//
// Where PostgreSQL takes no qualified name, as for a trigger or a constraint, the bare name is written: see bareRules.
//
// # Migrations
//
// With the [Syntax] Migration, the text was written by people and holds no user data. On top of what is above,
// templates are expanded anywhere inside literals, and in all dollar-quoted strings. In a dollar-quoted string, SQL
// begins again: its literals are literals, its comments and quoted identifiers are left alone. One that is nothing
// but a template is like a literal. Behind an apostrophe that nothing closes, it is plain text.
//
// A literal is not read as SQL, because it may be English. A template in it becomes what it becomes in SQL, with
// quotes doubled for '...', backslashes too for E'...', and the escape character for U&'...':
//
//	'see {{tables.users}}'          'see "myapp".users'
//	'{{tables.users}}'              '"myapp".users'            a name for to_regclass, nextval and their like
//	'{{schema}}.users'              '"myapp".users'
//	'"{{schema}}"."users"'          '"myapp"."users"'          with the quotes around it
//	'{{schema}}'                    'myapp'                    a whole literal is a value: nspname = '{{schema}}'
//	'... = ''{{schema}}'''          '... = ''myapp'''          and so it is in a literal within a literal
//	'{{schema}}'::regnamespace      '"myapp"'::regnamespace    but not where PostgreSQL reads it as an identifier
//
// That is at a cast to a reg type (::regnamespace, CAST('{{schema}}' AS regnamespace), regnamespace '{{schema}}'), in
// to_regnamespace('{{schema}}') and in set_config('search_path', '{{schema}}', ...). To join the schema to other
// text, write it inside of that: 'DROP TABLE {{schema}}.t', not 'DROP TABLE ' || '{{schema}}' || '.t'.
//
// What only SQL can tell a literal does not know: EXECUTE 'CREATE INDEX {{tables.i}} ...' needs the bare name, which it
// gets in EXECUTE $q$CREATE INDEX {{tables.i}} ...$q$. A quote within a literal may begin a literal there, so behind
// one a schema whose name has a quote itself (or, where it matters, a backslash or a $) is an [Error]; dollar quotes
// are the way out again.
//
// In literals, and in dollar-quoted strings that are no bodies, a {{ that is no template is left alone, because
// arrays, JSON and the templates of others have it. An Error, with the likely spelling, are only {{table.users}},
// {{shema}} and the like without blanks, and with them {{ schema }} and {{ tables.users }}, whatever their case; and
// not in a literal that is cast to an array. Who wants such text writes '{' || '{schema}}' or E'\{{schema}}'.
//
// # Errors
//
// An unknown or unfinished {{ in SQL is an [Error] with its line and column, because PostgreSQL could not run it. A
// << that is not exactly a template is the shift operator and is left alone.
//
// # What it never does
//
// A text without templates comes out as it went in, byte for byte and without an allocation (reading a migration may
// take some). What comes out holds no template: expanding it again changes nothing, and where two templates are
// nested so that this would not hold, the result is an Error. A schema name can end no quote: it is checked by
// [CheckSchema] and quoted for its place.
package template
