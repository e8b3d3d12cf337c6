// Package testsets runs folders of migrations through package migrations and through psql, each in a database of its own, and compares what
// pg_dump says about the two:
//
//	make test-sets SETS='/path/to/migrations /path/to/others'
//
// Without SETS these are the folders of this repository, which CI compares as well. A folder's files run one after the other, those
// below down/ and the .down.sql not at all, in a schema called app that is first in the search_path: with psql -1, unless the
// file says pgdbm:no-transaction. Templates are expanded for both. A file for which pgdbm advises that line gets it, and a set whose
// migrations have folders of their own gets the option migrations.Folders. Any other file that pgdbm does not take fails the test with
// the sentence that its user gets, and one that psql does not take with psql's.
//
// What a set needs to be there before, such as an extension, a role or another schema, has to be created by a file of its own, the first
// of the folder. Values that depend on the time show up as differences of the data.
package testsets
