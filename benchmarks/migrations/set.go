package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// files are the migrations that every contender applies, in pgdbm's form: with templates for the schema.
//
//go:embed sql/*.sql
var files embed.FS

// What the set makes in each schema.
const (
	setMigrations = 10
	setStatements = 24
	setRelations  = 31 // rows of pg_class, without those of the contender's own history
)

// readSet returns the names and the texts of the files, in order.
func readSet() (names, texts []string, err error) {
	entries, err := fs.ReadDir(files, "sql")
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(files, "sql/"+entry.Name())
		if err != nil {
			return nil, nil, err
		}
		names, texts = append(names, entry.Name()), append(texts, string(text))
	}
	return names, texts, nil
}

// expandedSet returns the texts of the files for a schema; for "", with bare names, which follow search_path.
func expandedSet(schema string) (texts []string, err error) {
	_, texts, err = readSet()
	for i := range texts {
		if err == nil {
			texts[i], err = driver.Expand(texts[i], schema)
		}
	}
	return texts, err
}

// peerSet returns the files in the form of another tool: with bare names, with the header before the SQL, and with the
// suffix in place of .sql.
func peerSet(header, suffix string) (fs.FS, error) {
	names, _, err := readSet()
	if err != nil {
		return nil, err
	}
	texts, err := expandedSet("")
	if err != nil {
		return nil, err
	}
	set := fstest.MapFS{}
	for i, name := range names {
		set[strings.TrimSuffix(name, ".sql")+suffix] = &fstest.MapFile{Data: []byte(header + texts[i])}
	}
	return set, nil
}

// checkSet counts what the set is made of.
func (b *bench) checkSet(ctx context.Context) error {
	const schema = "counted"
	texts, err := expandedSet(schema)
	if err != nil {
		return err
	}
	return b.inDatabase(ctx, func(dsn string) error {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if _, err := conn.Exec(ctx, createSchema(schema)); err != nil {
			return err
		}
		results, err := conn.PgConn().Exec(ctx, strings.Join(texts, "")).ReadAll() // one for each statement
		if err != nil {
			return err
		}
		if len(texts) != setMigrations || len(results) != setStatements {
			return fmt.Errorf("the set has %d migrations with %d statements, want %d with %d",
				len(texts), len(results), setMigrations, setStatements)
		}
		return checkSchemas(ctx, dsn, []string{schema})
	})
}
