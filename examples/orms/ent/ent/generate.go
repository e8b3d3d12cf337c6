// Package ent is what ent generates from the entities in the folder schema. go generate makes it anew.
package ent

//go:generate go run entgo.io/ent/cmd/ent@v0.14.5 generate --feature sql/schemaconfig,sql/upsert ./schema
