package thirdparty_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// player executes statements on one connection: as the driver's user, or as plain pgx's.
type player struct {
	db   *sql.DB
	conn *sql.Conn // nil: any connection of the pool, of which one is free
	ours bool      // expands templates and follows contexts
	path bool      // bare names

	stand      stand
	calls      int
	unprepared bool // no sql.Stmt: what they prepare is lost behind PgBouncer
	tx         *sql.Tx
	stmts      map[string]*sql.Stmt
	opened     int // the epoch
}

var tableName = regexp.MustCompile(`@(tp_item|tp_acct|tp_log)`)

// text returns a statement's text as this player writes it.
func (p *player) text(text string, t *tenant) string {
	switch {
	case !p.ours:
		return t.sql(text)
	case p.path && !strings.Contains(text, "t.*"): // one shape uses templates in this mode too
		return strings.ReplaceAll(text, "@", "")
	}
	return strings.ReplaceAll(tableName.ReplaceAllString(text, "{{tables.$1}}"), "@", "{{schema}}.")
}

func (p *player) context(ctx context.Context, t *tenant) context.Context {
	if p.ours {
		return driver.WithSchema(ctx, t.name)
	}
	return ctx
}

// on is what statements are executed on.
func (p *player) on() querier {
	switch {
	case p.tx != nil:
		return p.tx
	case p.conn != nil:
		return p.conn
	}
	return p.db
}

// do executes a statement and returns its outcome.
func (p *player) do(ctx context.Context, s *step) string {
	if p.stand != theDriver && p.stand != plainPgx {
		return p.doWrong(ctx, s)
	}
	return p.doRight(ctx, s)
}

func (p *player) doRight(ctx context.Context, s *step) string {
	q, text := p.on(), p.text(s.text, s.tenant)
	if !s.bound {
		ctx = p.context(ctx, s.tenant)
	}
	if s.prepared && p.conn != nil && !p.unprepared {
		stmt, err := p.prepare(ctx, text)
		if err != nil {
			return errorOutcome(err, s.tenant)
		}
		if p.tx != nil {
			stmt = p.tx.StmtContext(ctx, stmt)
			defer stmt.Close()
		}
		q = stmtQuerier{stmt}
	}
	return s.outcome(ctx, q, text, s.tenant)
}

// prepare returns the sql.Stmt of a text, which lives as long as the connection.
func (p *player) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := p.stmts[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := p.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if p.stmts == nil {
		p.stmts = make(map[string]*sql.Stmt)
	}
	p.stmts[text] = stmt
	return stmt, nil
}

// doAfresh executes a statement of plain pgx without what it remembers. What a witness has prepared pgx finds by its text, in any mode.
func (p *player) doAfresh(ctx context.Context, s *step) string {
	afresh := s.statement
	if len(s.args) > 0 || s.form != asExec {
		afresh.args = append([]any{pgx.QueryExecModeDescribeExec}, s.args...)
	}
	return afresh.outcome(ctx, p.on(), p.text(s.text, s.tenant)+" ", s.tenant)
}

func (p *player) begin(ctx context.Context, t *tenant) (err error) {
	ctx = p.context(ctx, t)
	if p.conn != nil {
		p.tx, err = p.conn.BeginTx(ctx, nil)
	} else {
		p.tx, err = p.db.BeginTx(ctx, nil)
	}
	return err
}

// end ends the transaction.
func (p *player) end(commit bool, t *tenant) string {
	if p.tx == nil {
		return ""
	}
	end := p.tx.Rollback
	if commit {
		end = p.tx.Commit
	}
	p.tx = nil
	if err := end(); err != nil {
		return errorOutcome(err, t)
	}
	return "ended"
}

// renew closes the connection and opens another. Others of the pool that are free must be held, or one of them would be taken.
func (p *player) renew(ctx context.Context, epoch int) (err error) {
	p.close()
	p.conn, err = p.db.Conn(ctx)
	p.opened = epoch
	return err
}

func (p *player) close() {
	p.stmts = nil // the connection goes with them
	if p.conn != nil {
		discard(p.conn)
	}
}

// discard closes a connection instead of giving it back.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn })
	if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return // it is broken, and so it is closed already
	}
}

// cast is one pool: two connections that are held, and one that is free.
type cast struct {
	db      *sql.DB
	stand   stand
	players []*player // the last one is the free connection
}

const held = 2

func newCast(db *sql.DB, ours, path bool) *cast {
	db.SetMaxOpenConns(held + 1)
	db.SetMaxIdleConns(held + 1)
	c := &cast{db: db}
	for range held + 1 {
		c.players = append(c.players, &player{db: db, ours: ours, path: path})
	}
	return c
}

// renew opens new connections for one player, or for all with -1.
func (c *cast) renew(ctx context.Context, which, epoch int) error {
	if c.stand == keeping && c.players[0].conn != nil {
		for _, p := range c.players {
			p.opened = epoch // so it is said
		}
		return nil
	}
	free, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	for i, p := range c.players[:held] {
		if which == i || which < 0 {
			if p.conn == nil {
				p.conn, err = c.db.Conn(ctx)
				p.opened = epoch
			} else {
				err = p.renew(ctx, epoch)
			}
			if err != nil {
				return errors.Join(err, free.Close())
			}
		}
	}
	if which >= 0 && which != held {
		return free.Close()
	}
	c.players[held].opened = epoch
	return errors.Join(free.Close(), c.expire(ctx))
}

// expire lets the pool replace the free connection because of its age.
func (c *cast) expire(ctx context.Context) error {
	c.db.SetConnMaxLifetime(time.Nanosecond)
	defer c.db.SetConnMaxLifetime(0)
	return c.db.PingContext(ctx)
}

func (c *cast) close() {
	for _, p := range c.players {
		if p.tx != nil {
			_ = p.tx.Rollback()
		}
		p.close()
	}
	_ = c.db.Close()
}
