package schemadb

import (
	"cmp"
	"log/slog"
	"math"
	"time"
)

// The defaults of Config's fields.
const (
	defaultMaxOpenConns    = 20
	defaultMinConns        = 10
	defaultConnMaxIdleTime = 5 * time.Minute
	defaultConnMaxUses     = 50000
	defaultCommandTimeout  = 60 * time.Second
	defaultRetryAttempts   = 3
	defaultRetryDelay      = time.Second
	defaultRetryBackoff    = 2.0
	defaultRetryMaxDelay   = 30 * time.Second
)

// choose resolves a field: zero means usual, negative means off.
func choose[T int | time.Duration](value, usual, off T) T {
	if value < 0 {
		return off
	}
	return cmp.Or(value, usual)
}

// maxOpenConns is for (*sql.DB).SetMaxOpenConns, which takes 0 for no limit.
func (c Config) maxOpenConns() int { return choose(c.MaxOpenConns, defaultMaxOpenConns, 0) }

// maxIdleConns is at most maxOpenConns, as database/sql has it too.
func (c Config) maxIdleConns() int {
	limit := c.maxOpenConns()
	idle := choose(c.MaxIdleConns, cmp.Or(limit, defaultMaxOpenConns), 0)
	if limit > 0 {
		return min(idle, limit)
	}
	if c.MaxIdleConns == 0 {
		return max(idle, c.MinConns)
	}
	return idle
}

// minConns is the number of connections to open at once, at least one.
func (c Config) minConns() int {
	return max(1, choose(c.MinConns, min(defaultMinConns, c.maxIdleConns()), 1))
}

func (c Config) connMaxIdleTime() time.Duration {
	return choose(c.ConnMaxIdleTime, defaultConnMaxIdleTime, 0)
}

// connMaxUses is 0 for no limit.
func (c Config) connMaxUses() int { return choose(c.ConnMaxUses, defaultConnMaxUses, 0) }

// commandTimeout is 0 for no limit.
func (c Config) commandTimeout() time.Duration {
	return choose(c.CommandTimeout, defaultCommandTimeout, 0)
}

func (c Config) retryAttempts() int { return choose(c.RetryAttempts, defaultRetryAttempts, 1) }

func (c Config) retryDelay() time.Duration { return choose(c.RetryDelay, defaultRetryDelay, 0) }

func (c Config) retryBackoff() float64 { return cmp.Or(c.RetryBackoff, defaultRetryBackoff) }

func (c Config) retryMaxDelay() time.Duration {
	return choose(c.RetryMaxDelay, defaultRetryMaxDelay, math.MaxInt64)
}

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

// schema is the schema of the DB: the field, or else the DSN's, or "".
func (c Config) schema() string { return cmp.Or(c.Schema, dsnValues(c.DSN)[keySchema]) }
