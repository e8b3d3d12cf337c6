package driver

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepared returns what is prepared for a statement, and prepares it if need be.
func (c *conn) prepared(ctx context.Context, o *order) (*pgconn.StatementDescription, error) {
	l, n := c.link, &c.connector.counters
	if t := l.hot.find(o); t != nil {
		return t.sd, nil
	}
	if sd := l.givenFor(o); sd != nil {
		return sd, nil
	}
	sd, err := c.prepare(ctx, o, l.newName())
	if err != nil {
		return nil, err
	}
	n.prepares.Add(1)
	if evicted := l.hot.put(o, sd, &c.connector.generations); evicted != nil {
		n.evictions.Add(1)
		l.unwanted = append(l.unwanted, evicted.sd.Name)
	}
	return sd, nil
}

// unprepare drops what is prepared for a statement, if it is. The server hears of it before the next statement is prepared.
func (c *conn) unprepare(o *order) {
	if t := c.link.hot.find(o); t != nil {
		c.link.hot.drop(t)
		c.link.unwanted = append(c.link.unwanted, t.sd.Name)
	}
	if c.link.givenFor(o) != nil {
		delete(c.link.given, o.sql)
		c.link.unwanted = append(c.link.unwanted, o.sql) // by which pgx knows it
	}
}

// prepare prepares a statement under its path. If name is "", it is only described.
func (c *conn) prepare(ctx context.Context, o *order, name string) (sd *pgconn.StatementDescription, err error) {
	for len(c.link.unwanted) > 0 {
		last := len(c.link.unwanted) - 1
		if err := c.stdlibConn.Conn().Deallocate(ctx, c.link.unwanted[last]); err != nil {
			return nil, err
		}
		c.link.unwanted = c.link.unwanted[:last]
	}
	if tracer, ok := c.link.tracer.(pgx.PrepareTracer); ok {
		ctx = tracer.TracePrepareStart(ctx, c.stdlibConn.Conn(), pgx.TracePrepareStartData{Name: name, SQL: o.sql})
		defer func() { tracer.TracePrepareEnd(ctx, c.stdlibConn.Conn(), pgx.TracePrepareEndData{Err: err}) }()
	}
	if o.path != nil {
		sd, err = c.prepareUnder(ctx, o.path, name, o.sql)
	} else {
		sd, err = c.stdlibConn.Conn().PgConn().Prepare(ctx, name, o.sql, nil)
	}
	var half *pgconn.PrepareError
	if name != "" && errors.As(err, &half) && half.ParseComplete {
		c.link.unwanted = append(c.link.unwanted, name)
	}
	return sd, err
}
