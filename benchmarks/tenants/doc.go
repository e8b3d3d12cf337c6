// Command tenants measures what a query costs when the tenants of a database are schemas, by their number: with pgdbm, and with
// the ways in which people do it on plain pgx.
//
//	go run . -help
//
// It starts a PostgreSQL of its own, or uses that of PGDBM_TEST_DSN, and makes a schema with a table for each tenant in a database that
// it drops in the end. All contenders take turns within a run, and figures are medians over the rounds, because machines are noisy: look at
// the ratios. Each query is one of four texts, all by primary key or index, for a tenant that is drawn at random, evenly or
// as in Zipf's law.
package main
