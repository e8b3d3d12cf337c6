// Package schemadb is sqlx on a pool that many schemas share: each module or tenant has its own view of one *sql.DB.
package schemadb
