// Package soak is a test that looks for a tenant's row in the hands of another: make soak.
//
// Fifty schemas have the same tables with rows of their own, each of which says whose it is; so have the tables in public, where
// nobody has any business. 32 goroutines share 8 connections and do at random what programs do (reads, writes,
// transactions, prepared statements, an ORM, COPY) and what goes wrong in them (cancelled contexts, panics, killed
// backends, schemas that do not exist, temporary tables, SET, PREPARE and cursors that somebody leaves behind). A row of somebody else ends the
// test. So does an error that none of this explains, money that is lost between two accounts, and a connection that is not given back.
//
// It runs in both schema modes, directly and through PgBouncer in transaction mode, where what needs a session of its own is left out.
//
//	go test ./soak                      one second: with all other tests
//	go test ./soak -soak.time 1m        make soak
//	go test -tags soak_leaks ./soak     also on drivers with a fault, where it must find such a row
package soak
