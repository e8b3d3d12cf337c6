// Package peertests tests packages driver and schemadb together with other libraries, which would be too heavy for the
// go.mod that every user of pgdbm gets. It is a module of its own; `make test` runs it too.
package peertests
