package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// contender is a way to run a tenant's queries.
type contender struct {
	name string
	// settings are keys of the DSN.
	settings map[string]string
	// texts makes what is executed of the templates, for each tenant; nil leaves the templates to the driver.
	texts func(template, tenant string) string
	// path says that the tenant is set before each query.
	path bool
}

const (
	pgdbmName   = "pgdbm"
	defaultName = "pgx"
)

// contenders are in the order of the table. All have the same two connections.
var contenders = []contender{
	{name: pgdbmName},
	{name: defaultName, texts: qualified},
	{name: "pgx, large cache", texts: qualified, settings: map[string]string{"statement_cache_capacity": "1000000"}},
	{name: "pgx, exec mode", texts: qualified, settings: map[string]string{"default_query_exec_mode": "exec"}},
	{name: "pgx, SET + query", texts: bare, path: true},
}

// templates are the four queries. They have one argument.
var templates = []string{
	"SELECT id, owner, amount, note FROM {{tables.items}} WHERE id = $1",
	"SELECT count(*), sum(amount) FROM {{tables.items}} WHERE owner = $1",
	"SELECT note FROM {{tables.items}} WHERE id > $1 ORDER BY id LIMIT 3",
	"UPDATE {{tables.items}} SET amount = amount + 1 WHERE id = $1",
}

func qualified(template, tenant string) string {
	return strings.ReplaceAll(template, "{{tables.items}}", pgx.Identifier{tenant}.Sanitize()+".items")
}

func bare(template, _ string) string {
	return strings.ReplaceAll(template, "{{tables.items}}", "items")
}

// pool is a contender at work, with one connection for each worker.
type pool struct {
	contender
	db    *sql.DB
	conns []*sql.Conn
	names []string
	made  [][]string // texts by tenant, which a program would have once
}

func (c contender) open(ctx context.Context, dsn string, dial dialer, names []string) (*pool, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	for key, value := range c.settings {
		if config, err = pgx.ParseConfig(dsn + "&" + key + "=" + value); err != nil {
			return nil, err
		}
	}
	config.DialFunc = dial
	p := &pool{contender: c, names: names}
	if c.texts == nil {
		p.db = driver.OpenDB(*config)
	} else {
		p.db = stdlib.OpenDB(*config)
		for _, name := range names {
			var texts []string
			for _, template := range templates {
				texts = append(texts, c.texts(template, name))
			}
			p.made = append(p.made, texts)
		}
	}
	for range workers {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		p.conns = append(p.conns, conn)
	}
	return p, nil
}

func (p *pool) close() {
	for _, conn := range p.conns {
		_ = conn.Close() // the pool closes it
	}
	_ = p.db.Close()
}

// serve is what a request of a tenant's makes: all queries, one after the other, in its context.
func (p *pool) serve(ctx context.Context, worker, tenant int) error {
	if p.made == nil {
		ctx = driver.WithSchema(ctx, p.names[tenant])
	}
	for query := range templates {
		if err := p.query(ctx, worker, tenant, query); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// query runs one of the queries for a tenant, and reads what it returns.
func (p *pool) query(ctx context.Context, worker, tenant, query int) error {
	conn, text := p.conns[worker], templates[query]
	if p.made != nil {
		text = p.made[tenant][query]
	}
	if p.path {
		if _, err := conn.ExecContext(ctx, "SET search_path = "+p.names[tenant]); err != nil {
			return err
		}
	}
	if query == len(templates)-1 {
		_, err := conn.ExecContext(ctx, text, 1+tenant%rowsOfEach)
		return err
	}
	rows, err := conn.QueryContext(ctx, text, 1+tenant%rowsOfEach)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows, query); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scan(rows *sql.Rows, query int) error {
	var id, owner, amount, count int64
	var note string
	var sum sql.NullInt64
	switch query {
	case 0:
		return rows.Scan(&id, &owner, &amount, &note)
	case 1:
		return rows.Scan(&count, &sum)
	case 2:
		return rows.Scan(&note)
	}
	return fmt.Errorf("query %d returns no rows", query)
}
