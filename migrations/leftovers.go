package migrations

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// A statement with CONCURRENTLY runs in several transactions. If it is cancelled, or fails, what the first of them have done stays:
//
//   - CREATE INDEX CONCURRENTLY leaves an invalid index, which is of no use and slows INSERT down;
//   - REINDEX ... CONCURRENTLY leaves invalid copies, whose names end with _ccnew or _ccold and a number, also of the indexes of TOAST tables;
//   - ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY leaves a partition that is neither in the table nor out of it;
//   - DROP INDEX CONCURRENTLY leaves an index that is invalid, which it drops the next time;
//   - REFRESH MATERIALIZED VIEW CONCURRENTLY is one transaction.
//
// See the notes on these commands in https://www.postgresql.org/docs/current/sql-commands.html

// concurrent is a statement that may leave something.
type concurrent struct {
	left      string // a query for it: what it is, and the statement that removes it
	creates   bool   // it is CREATE INDEX
	unnamed   bool   // and leaves the name to the server, so what it leaves looks like what others leave
	completes bool   // what removes it is what the statement should have done
}

// leftover is a row of that query.
type leftover struct{ what, remove string }

// left returns what is there of what the statement may leave.
func (f *fileRun) left(ctx context.Context, c *concurrent) (found []leftover, err error) {
	err = f.givingWay(ctx, func() error {
		results, err := f.session.send(ctx, c.left)
		if err != nil {
			return err
		}
		for _, row := range results[0].Rows {
			found = append(found, leftover{string(row[0]), string(row[1])})
		}
		return nil
	})
	return found, err
}

// clear removes what an attempt has left, without what was there before it. If that cannot be known, or if it fails, the error names it.
func (f *fileRun) clear(ctx context.Context, c *concurrent, before []leftover) error {
	left, err := f.left(ctx, c)
	if err != nil {
		return err
	}
	for _, l := range left {
		switch {
		case slices.Contains(before, l):
		case c.unnamed && before == nil:
			return fmt.Errorf("an earlier attempt has probably left %s: name the index in the file, or, if nobody is building it, run: %s", l.what, l.remove)
		default:
			if _, err := f.session.send(ctx, l.remove); err != nil {
				return fmt.Errorf("an attempt has left %s, and it cannot be removed with %s: %w", l.what, l.remove, err)
			}
		}
	}
	c.completes = c.completes && len(left) > 0
	return nil
}

// invalid finds invalid indexes that nobody is building now.
const invalid = "SELECT pg_catalog.format('the invalid index %%I.%%I', n.nspname, c.relname), pg_catalog.format('DROP INDEX CONCURRENTLY %%I.%%I', n.nspname, c.relname) " +
	"FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " +
	"WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid <> pg_catalog.pg_backend_pid() " +
	"AND p.datname = pg_catalog.current_database() AND COALESCE(p.relid, i.indrelid) = i.indrelid) AND %s ORDER BY 1"

// copies is the condition for what REINDEX leaves of the indexes of some tables and of their TOAST tables.
const copies = "c.relname ~ '_cc(new|old)[0-9]*$' AND (i.indrelid IN (%[1]s) OR i.indrelid IN (SELECT t.reltoastrelid FROM pg_catalog.pg_class t WHERE t.oid IN (%[1]s)))"

// concurrentOf returns what a statement may leave, or nil.
func concurrentOf(text string) *concurrent {
	p := words{sqllex.Tokens(text, 64)}
	switch {
	case p.next("create"):
		p.next("unique")
		if p.next("index") && p.next("concurrently") {
			return p.createIndex()
		}
	case p.next("reindex"):
		return p.reindex()
	case p.next("alter") && p.next("table"):
		return p.detach()
	}
	return nil
}

// createIndex reads [[IF NOT EXISTS] name] ON [ONLY] table.
func (p *words) createIndex() *concurrent {
	if p.next("if") && (!p.next("not") || !p.next("exists")) {
		return nil
	}
	name := ""
	if !p.next("on") {
		if name = p.name(); !p.next("on") {
			return nil
		}
	}
	p.next("only")
	table := p.name()
	if name == "" {
		return &concurrent{creates: true, unnamed: true, left: fmt.Sprintf(invalid, "i.indrelid = pg_catalog.to_regclass("+literal(table)+")")}
	}
	if dot := strings.LastIndexByte(table, '.'); dot >= 0 {
		name = table[:dot+1] + name
	}
	return &concurrent{creates: true, left: fmt.Sprintf(invalid, "i.indexrelid = pg_catalog.to_regclass("+literal(name)+")")}
}

// reindex reads [(options)] INDEX, TABLE, SCHEMA, DATABASE or SYSTEM [CONCURRENTLY] [name].
func (p *words) reindex() *concurrent {
	concurrently := false
	if p.next("(") {
		for len(p.list) > 0 && !p.next(")") {
			concurrently = p.next("concurrently") && !p.next("false", "off", "0") || concurrently
			p.next(",", "verbose", "tablespace", "true", "on", "1")
		}
	}
	of := ""
	if len(p.list) > 0 {
		of, p.list = strings.ToLower(p.list[0]), p.list[1:]
	}
	if !p.next("concurrently") && !concurrently {
		return nil
	}
	name := literal(p.name())
	tables := "SELECT oid FROM pg_catalog.pg_class"
	switch of {
	case "index":
		tables = "SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass(" + name + ") UNION SELECT x.indrelid FROM " +
			"pg_catalog.pg_index x WHERE x.indexrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(" + name + ")))"
	case "table":
		tables = "SELECT pg_catalog.to_regclass(" + name + ")::pg_catalog.oid UNION SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(" + name + "))"
	case "schema":
		tables += " WHERE relnamespace = pg_catalog.to_regnamespace(" + name + ")"
	}
	return &concurrent{left: fmt.Sprintf(invalid, fmt.Sprintf(copies, tables))}
}

// detach reads [IF EXISTS] [ONLY] table DETACH PARTITION partition CONCURRENTLY.
func (p *words) detach() *concurrent {
	if p.next("if") {
		p.next("exists")
	}
	p.next("only")
	table := p.name()
	if !p.next("detach") || !p.next("partition") {
		return nil
	}
	partition := p.name()
	if !p.next("concurrently") {
		return nil
	}
	finalize := "ALTER TABLE " + table + " DETACH PARTITION " + partition + " FINALIZE"
	return &concurrent{completes: true, left: "SELECT " + literal("the partition "+partition+", half detached") + ", " + literal(finalize) +
		" FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass(" + literal(partition) + ") AND inhparent = pg_catalog.to_regclass(" +
		literal(table) + ") AND inhdetachpending"}
}

// words are the tokens of a statement that are still to be read.
type words struct{ list []string }

// next takes the next token if it is one of the options.
func (p *words) next(options ...string) bool {
	if len(p.list) == 0 || !sqllex.OneOf(p.list[0], options...) {
		return false
	}
	p.list = p.list[1:]
	return true
}

// name takes a name, with its schema if it has one.
func (p *words) name() (name string) {
	for len(p.list) > 0 {
		name += p.list[0]
		if p.list = p.list[1:]; !p.next(".") {
			break
		}
		name += "."
	}
	return name
}
