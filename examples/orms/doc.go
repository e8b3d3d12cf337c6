// Package orms shows, a folder each, how ORMs, query builders, generated code and migration tools work on the driver pgdbm: one
// pool, a tenant in each schema. Each folder has code as a program would have it, and tests in which two tenants have other rows.
//
// There are two ways to say where a table is:
//
//   - Templates: the library is told that the table is called {{tables.users}}. That works in both modes.
//   - Bare names: the library's code stays as it was, and the DSN says schema_mode=search_path.
//
// In both the tenant comes from the context: driver.WithSchema(ctx, tenant).
//
// docs/orms.md has a table of what works with which library, and what to watch.
package orms
