package thirdparty_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// setup is a configuration of the driver.
type setup struct {
	path  bool // schema_mode=search_path, else template
	route string
	cold  bool // the statement cache is too small for the statements
	stand stand
}

// stand is what stands in the driver's place, to test the test.
type stand string

const (
	theDriver stand = ""
	plainPgx  stand = "plain pgx"
	guessing  stand = "pgx that guesses types"
	keeping   stand = "pgx that keeps old connections"
	retrying  stand = "pgx that sends again what was lost"
	confusing stand = "pgx that takes a tenant for another"
	repeating stand = "pgx that fails once on each connection" // as it does
)

func (s setup) String() string {
	mode, cache := "template", "hot"
	if s.path {
		mode = "search_path"
	}
	if s.cold {
		cache = "cold"
	}
	if s.stand != theDriver {
		return string(s.stand) + ", " + s.route
	}
	return mode + ", " + s.route + ", " + cache
}

// The databases of a world.
const (
	inOurs = iota
	inTwin
	inFresh
	inWitness
	databases
)

// newWorld creates the databases with their tenants, and connects.
func newWorld(t *testing.T, s setup, c class, seed, stream uint64) *world {
	t.Helper()
	w := &world{
		setup: s, class: c, t: t, ctx: t.Context(), random: rand.New(rand.NewPCG(seed, stream)), party: startParty(t), tap: &tap{},
		contents: make(map[*tenant]string), failed: make(map[string]failure), used: make(map[string]use), seen: make(map[string]bool),
		counts: make(tallies), lastSQL: make(map[*tenant]string), changedAt: make(map[*tenant]int),
	}
	for i := range databases {
		w.dsns[i] = server.Database(t)
		w.admin[i] = connectAdmin(t, w.dsns[i])
	}
	w.decoy = &tenant{name: "public", number: 20}
	w.everywhere(w.decoy.create(w.random))
	w.contents[w.decoy] = w.read(inOurs, w.decoy)
	for i, name := range []string{"ten1", "Ten-2", "ten3", "ten4"}[:c.tenants] {
		tn := &tenant{name: name, number: i + 1}
		w.tenants = append(w.tenants, tn)
		w.everywhere(tn.create(w.random))
		w.contents[tn] = w.read(inOurs, tn)
	}
	for range c.deck {
		w.deck = append(w.deck, newCard(w.random, c))
	}
	w.connect()
	return w
}

// connect opens all connections but those of the blockers' and the third party's.
func (w *world) connect() {
	dsn := w.dsns[inOurs]
	switch w.route {
	case untracked:
		dsn = pgbouncer.Start(w.t, dsn, "default_pool_size=4", "server_round_robin=1")
	case tracked:
		dsn = pgbouncer.StartProgram(w.t, os.Getenv(trackingVariable), dsn, "default_pool_size=4", "server_round_robin=1", "max_prepared_statements=200")
	}
	if w.route != direct {
		for range 2 {
			w.blockers = append(w.blockers, &blocker{conn: connectAdmin(w.t, dsn+"&default_query_exec_mode=simple_protocol")})
		}
	}
	w.ours = newCast(w.openOurs(dsn), w.stand == theDriver, w.path)
	w.ours.stand = w.stand
	for _, p := range w.ours.players {
		p.stand, p.unprepared = w.stand, w.stand != theDriver && w.route != direct
	}
	w.twin = newCast(w.openPlain(w.dsns[inTwin]), false, false)
	freshDB := w.openPlain(w.dsns[inFresh] + "&default_query_exec_mode=describe_exec")
	w.fresh = &player{db: freshDB}
	w.witnessDB = w.openPlain(w.dsns[inWitness])
	w.t.Cleanup(w.close)
	w.renew(-1)
	w.changed()
}

func (w *world) openOurs(dsn string) *sql.DB {
	if w.stand != theDriver {
		if w.route != direct {
			dsn += "&default_query_exec_mode=cache_describe"
		}
		config, err := pgx.ParseConfig(dsn)
		w.must(err)
		w.tap.attach(config)
		return stdlib.OpenDB(*config)
	}
	if w.path {
		dsn += "&schema_mode=search_path"
	}
	dsn += *dsnFlag
	if w.cold {
		dsn += "&statement_cache_capacity=2"
	}
	connector, err := driver.NewConnector(dsn, driver.WithStdlib(stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		w.tap.attach(c)
		return nil
	})))
	w.must(err)
	return sql.OpenDB(connector)
}

func (w *world) openPlain(dsn string) *sql.DB {
	config, err := pgx.ParseConfig(dsn)
	w.must(err)
	return stdlib.OpenDB(*config)
}

func (w *world) close() {
	w.ctx = context.Background()
	for _, b := range w.blockers {
		b.let(w.ctx)
	}
	w.ours.close()
	w.twin.close()
	w.fresh.close()
	for _, x := range w.witnesses {
		x.close()
	}
	_ = w.fresh.db.Close()
	_ = w.witnessDB.Close()
}

// blocker is another client of PgBouncer.
type blocker struct {
	conn *pgx.Conn
	in   bool // a transaction, and so it has a server session
}

// flip takes a server session or gives it back.
func (b *blocker) flip(ctx context.Context) error {
	text := "BEGIN; SELECT 1"
	if b.in {
		text = "COMMIT"
	}
	b.in = !b.in
	if _, err := b.conn.Exec(ctx, text); err != nil {
		return fmt.Errorf("the other client of PgBouncer: %w", err)
	}
	return nil
}

func (b *blocker) let(ctx context.Context) {
	if b.in {
		_ = b.flip(ctx)
	}
}
