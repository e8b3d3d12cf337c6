package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"
)

// manyContenders are those whose time does not simply grow with the number of schemas: for the others it is that of the 200
// schemas, times 25, and to migrate so many before takes them a quarter of an hour.
var manyContenders = []contender{pgdbmOwn, pgdbmShared}

// manyRun is a call with nothing to do in many schemas, for each number of workers.
type manyRun map[int]idle

// many is the experiment with thousands of schemas that are up to date. Each contender has migrated them itself, once.
func (b *bench) many(ctx context.Context) (err error) {
	schemas := schemaNames(b.config.many)
	dsns := map[string]string{}
	for _, c := range manyContenders {
		log.Printf("%d schemas for %s", len(schemas), c.name)
		dsn, drop, err := b.server.CreateDatabase(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
		if _, err := b.migrateFresh(ctx, c, dsn, slices.Max(b.workers), schemas); err != nil {
			return err
		}
		if err := checkSchemas(ctx, dsn, schemas); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if err := tidyUp(ctx, dsn); err != nil {
			return err
		}
		dsns[c.name] = dsn
	}
	runs := map[string][]manyRun{}
	for round := range b.rounds {
		for _, c := range turns(manyContenders, round) {
			r := manyRun{}
			for _, workers := range b.workers {
				if r[workers], err = b.migrateNothing(ctx, c, dsns[c.name], workers, schemas); err != nil {
					return err
				}
			}
			runs[c.name] = append(runs[c.name], r)
		}
	}
	b.reportMany(runs)
	return nil
}

func (b *bench) reportMany(runs map[string][]manyRun) {
	t := table{
		title:  fmt.Sprintf("Nothing to do in %d schemas, %s", b.config.many, count(b.rounds, "round")),
		header: []string{"", "workers", "first call", "again", "bound"},
	}
	for _, c := range manyContenders {
		r := runs[c.name]
		for _, workers := range b.workers {
			first := func(r manyRun) time.Duration { return r[workers].first }
			again := func(r manyRun) time.Duration { return r[workers].again }
			t.row(c.name, fmt.Sprint(workers), medianOf(r, first), medianOf(r, again), promises[c.name].idle5000)
			name := fmt.Sprintf("%s, %s", c.name, count(workers, "worker"))
			detail(&t, name+", first call", r, first)
			detail(&t, name+", again", r, again)
		}
	}
	t.write(b.out)
}
