package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"
)

// freshRun is one turn of a contender: new schemas first, and then the same schemas with nothing to do.
type freshRun struct {
	fresh cost
	idle  idle // 0 for floor, which cannot know
}

// fresh is the experiment with new schemas.
func (b *bench) fresh(ctx context.Context, workers int) error {
	runs := map[string][]freshRun{}
	for round := range b.rounds {
		for _, c := range turns(contenders, round) {
			log.Printf("%s, round %d: %s", count(workers, "worker"), round+1, c.name)
			r, err := b.freshTurn(ctx, c, workers)
			if err != nil {
				return err
			}
			runs[c.name] = append(runs[c.name], r)
		}
	}
	b.reportFresh(workers, runs)
	return nil
}

func (b *bench) freshTurn(ctx context.Context, c contender, workers int) (r freshRun, err error) {
	schemas := schemaNames(b.schemas)
	err = b.inDatabase(ctx, func(dsn string) (err error) {
		if r.fresh, err = b.migrateFresh(ctx, c, dsn, workers, schemas); err != nil {
			return err
		}
		if err = checkSchemas(ctx, dsn, schemas); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if c.name == floor.name {
			return nil
		}
		if err = tidyUp(ctx, dsn); err != nil {
			return err
		}
		r.idle, err = b.migrateNothing(ctx, c, dsn, workers, schemas)
		return err
	})
	return r, err
}

// checkSchemas finds out whether all schemas have what the set makes, besides a history of any contender.
func checkSchemas(ctx context.Context, dsn string, schemas []string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const right = `SELECT count(*) FROM (
		SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
		WHERE n.nspname = ANY($1) AND c.relname !~ 'schema_migrations|goose_db_version|schema_version'
		GROUP BY n.nspname HAVING count(*) = $2) complete`
	var complete int
	if err := conn.QueryRow(ctx, right, schemas, setRelations).Scan(&complete); err != nil {
		return err
	}
	if complete != len(schemas) {
		return fmt.Errorf("%d of %d schemas have %d relations", complete, len(schemas), setRelations)
	}
	return nil
}

// reportFresh writes the table, with what is promised beside what was measured.
func (b *bench) reportFresh(workers int, runs map[string][]freshRun) {
	t := table{
		title: fmt.Sprintf("%d new schemas, %d migrations, %d statements, %d relations each; %s, %s",
			b.schemas, setMigrations, setStatements, setRelations, count(workers, "worker"), count(b.rounds, "round")),
		header: []string{"", "wall", "server CPU", "wall / floor", "CPU / floor", "bound", "goose's wall / wall", "bound",
			"nothing to do", "again", "bound"},
	}
	wall := func(r freshRun) time.Duration { return r.fresh.wall }
	cpu := func(r freshRun) time.Duration { return r.fresh.cpu }
	first := func(r freshRun) time.Duration { return r.idle.first }
	again := func(r freshRun) time.Duration { return r.idle.again }
	for _, c := range contenders {
		r := runs[c.name]
		p := promises[c.name]
		t.row(c.name, medianOf(r, wall), medianOf(r, cpu),
			ratio(r, runs[floor.name], wall), ratio(r, runs[floor.name], cpu), p.cpu,
			ratio(runs[goosePools.name], r, wall), p.wall,
			medianOf(r, first), medianOf(r, again), p.idle200)
		detail(&t, c.name+", wall", r, wall)
		detail(&t, c.name+", server CPU", r, cpu)
		detail(&t, c.name+", nothing to do", r, first)
		detail(&t, c.name+", again", r, again)
	}
	t.write(b.out)
}
