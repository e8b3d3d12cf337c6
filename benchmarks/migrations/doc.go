// Command migrations measures package migrations of pgdbm beside other tools: the same ten migrations in many schemas, the
// time that it takes, and the processor time that it costs the server. It is a module of its own, so that the other tools
// stay out of the go.mod that every user of pgdbm gets.
//
//	make bench-migrations                             # at the root: everything, about half an hour
//	go run . -rounds 1 -schemas 20 -many 0 -memory 0  # here: a first impression
//
// It needs 4 GB in the folder for temporary files, for two databases with 5,000 schemas.
//
// # What is compared
//
// The migrations are in folder sql: [setMigrations] files with [setStatements] statements that make [setRelations]
// relations in each schema; the program checks these numbers. The contenders have a file each and the same small
// interface, [contender]:
//
//	floor.go     the bare SQL, one message and one transaction per schema: nothing that migrates can cost less
//	pgdbm.go     package migrations, with a history table in each schema, and with one for all of them
//	goose.go     goose, with a Provider and a pool per schema, and with all Providers on one pool
//	migrate.go   golang-migrate
//	tern.go      tern
//
// Each tool runs as its manual says, without its logging, on pgx. Where a tool has no notion of many schemas, it gets what
// its users do: search_path in the connection string of each schema, and goroutines that share the schemas out (peers.go).
//
// # How it is measured
//
// The contenders take turns: in each round each of them gets a new database, and the order moves on by one with each
// round. What a round's contenders share (the machine's mood) cancels out in the ratio of two of them, so ratios are made
// within the rounds, and their median is reported. measure.go has the stopwatch, servercpu.go the server's processor time,
// report.go the tables. The three experiments:
//
//	fresh.go     new schemas, and after that the same call again, with nothing to do
//	many.go      nothing to do in thousands of schemas
//	memory.go    the memory of the client, in a process of its own
//
// The server is that of package pgserver: started for the run, on this machine, without fsync and here without autovacuum,
// so that its time is the contenders' own. With PGDBM_TEST_DSN it is yours, and what it does besides is measured too; on
// another machine, or not on Linux, its processor time is not known: a dash in the tables.
//
// The bounds beside the figures are what pgdbm promises. Nothing fails when one is missed: a program that shares its
// machine asserts nothing about time.
package main
