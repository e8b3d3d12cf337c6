package schemadb

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// dsns are DSNs with an unusual spelling.
var dsns = []string{
	"", "  ", "postgres://", "postgresql://h", "postgres://u@h", "postgres://u:p@h:1/d", "postgres://:p@h/", "postgres://@h",
	"postgres://u:@h", "postgres://u%40x:p%3A%2F@h/d%20e", "postgres://u:a:b@h", "postgres://[::1]:5/d", "postgres://[::1]",
	"postgres://a,b:2/d", "postgres://a:1,b:2/d?user=u&password=p%26", "postgres:///d?host=/tmp&port=3", "postgres://h?dbname=d",
	"postgres://h/d?database=e", "postgres://u:p?x@h/d?password=q", "postgres://h/d?ssl=true", "postgres://h/d?ssl=true&sslmode=disable",
	"postgres://h/d?sslmode=disable&ssl=true", "postgres://h/d?sslmode=disable&a=b%20c", "postgres://h/d? port = 4 ", "postgres://h/d?",
	"host=h", " host = h  port= 7 dbname='a b' user='it\\'s' password=a\\ b\\\\", "host='' user='' password=''", "database=x user=u",
	"host=a,b port=1,2", "password='x", "application_name=a=b host=h", "host=h user=u\\", "host=h\nuser=u\tdbname=d",
}

// What dsnValues reads must be what pgx reads, and what withKeys writes too.
func TestDSNValuesAreThoseOfPgx(t *testing.T) {
	t.Parallel()
	for _, dsn := range dsns {
		want, err := pgx.ParseConfig(dsn)
		if err != nil {
			continue
		}
		values := dsnValues(dsn)
		defaults, err := pgx.ParseConfig("")
		if err != nil {
			t.Fatal(err)
		}
		check := func(key, got, fallback string) {
			t.Helper()
			value, ok := values[key]
			if !ok || value == "" {
				value = fallback
			}
			if value != got {
				t.Errorf("%q: %s is %q, pgx says %q", dsn, key, value, got)
			}
		}
		host, _, _ := strings.Cut(values[keyHost], ",")
		values[keyHost] = host
		port, _, _ := strings.Cut(values[keyPort], ",")
		values[keyPort] = port
		check(keyHost, want.Host, defaults.Host)
		check(keyPort, strconv.Itoa(int(want.Port)), strconv.Itoa(int(defaults.Port)))
		check(keyDatabase, want.Database, defaults.Database)
		check(keyUser, want.User, defaults.User)
		check(keyPassword, want.Password, defaults.Password)
		if mode, ok := values[keySSLMode]; ok && (mode == "disable") != (want.TLSConfig == nil) {
			t.Errorf("%q: sslmode is %q, pgx's TLSConfig %v", dsn, mode, want.TLSConfig)
		}
		got, err := pgx.ParseConfig(withKeys(dsn, map[string]string{"app.x": "a b&c=%+'\\"}))
		if err != nil {
			t.Errorf("%q became %q: %v", dsn, withKeys(dsn, nil), err)
			continue
		}
		if got.RuntimeParams["app.x"] != "a b&c=%+'\\" {
			t.Errorf("%q: app.x became %q", dsn, got.RuntimeParams["app.x"])
		}
		if got.Host != want.Host || got.Port != want.Port || got.Database != want.Database || got.User != want.User ||
			got.Password != want.Password || len(got.Fallbacks) != len(want.Fallbacks) || (got.TLSConfig == nil) != (want.TLSConfig == nil) ||
			got.RuntimeParams["application_name"] != want.RuntimeParams["application_name"] {
			t.Errorf("%q: became another DSN, %q", dsn, withKeys(dsn, nil))
		}
	}
}

func TestFieldsBuildAnyDSN(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"p", " a b ", `it's`, `\`, `a\'b`, "a&schema=b", "x&password=y", "%41%", "+", "a/b?c#d@e:f", "ä€😀", "'", `"`, "=", "\n",
		"{{x}}", "postgres://u:p@h/d"} {
		for _, dsn := range []string{"", "host=h", "postgres://h", "postgres://h?application_name=x", "connect_timeout=5"} {
			c := Config{DSN: dsn, Password: text}
			r, err := c.resolve()
			if err != nil {
				t.Errorf("%q: %v", text, err)
			} else if r.config.Password != text {
				t.Errorf("%q: the password became %q", text, r.config.Password)
			}
		}
		if strings.Contains(text, "password=") || strings.Contains(text, "://") {
			continue // package driver takes it for a misplaced password
		}
		c := Config{Database: text, User: text, Host: "/x/" + text, Port: 7}
		r, err := c.resolve()
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if r.config.Database != text || r.config.User != text || r.config.Host != c.Host || r.config.Port != 7 {
			t.Errorf("%q: became %q, %q, %q", text, r.config.Database, r.config.User, r.config.Host)
		}
	}
}

func TestInOptions(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]bool{
		"-c lock_timeout=1": true, "-clock_timeout=1": true, "--lock-timeout=1": true, "--LOCK_timeout = 1": true, "-c jit=off -c lock_timeout=1": true,
		"-c deadlock_timeout=1": false, "--deadlock-timeout=1": false, "-c application_name=lock_timeout": false, "": false,
	} {
		if got := inOptions(options, "lock_timeout"); got != want {
			t.Errorf("%q: %v", options, got)
		}
	}
}

func TestSameTimeout(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"5000": true, "5s": true, "5000ms": true, " 5s": true, "5": false, "5001": false, "6s": false, "": false, "x": false, "1min": false} {
		if got := sameTimeout(text, 5*time.Second); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	var c Config
	off := Config{MaxOpenConns: -1, ConnMaxIdleTime: -1, ConnMaxUses: -1, CommandTimeout: -1, RetryAttempts: -1, RetryDelay: -1, RetryMaxDelay: -1}
	set := Config{MaxOpenConns: 5, MinConns: 2, MaxIdleConns: 3, ConnMaxIdleTime: 4, ConnMaxUses: 6, CommandTimeout: 7, RetryAttempts: 8, RetryDelay: 9,
		RetryBackoff: 1.5, RetryMaxDelay: 10}
	for name, test := range map[string][2]any{
		"MaxOpenConns":      {c.maxOpenConns(), 20},
		"ConnMaxIdleTime":   {c.connMaxIdleTime(), 300 * time.Second},
		"ConnMaxUses":       {c.connMaxUses(), 50000},
		"CommandTimeout":    {c.commandTimeout(), 60 * time.Second},
		"RetryAttempts":     {c.retryAttempts(), 3},
		"RetryDelay":        {c.retryDelay(), time.Second},
		"RetryBackoff":      {c.retryBackoff(), 2.0},
		"RetryMaxDelay":     {c.retryMaxDelay(), 30 * time.Second},
		"no idle time":      {off.connMaxIdleTime(), time.Duration(0)},
		"no uses":           {off.connMaxUses(), 0},
		"no timeout":        {off.commandTimeout(), time.Duration(0)},
		"no retry":          {off.retryAttempts(), 1},
		"no delay":          {off.retryDelay(), time.Duration(0)},
		"no max delay":      {off.retryMaxDelay(), time.Duration(math.MaxInt64)},
		"unlimited idle":    {off.maxIdleConns(), 20},
		"many at once":      {Config{MaxOpenConns: -1, MinConns: 50}.maxIdleConns(), 50},
		"none idle":         {Config{MaxIdleConns: -1}.minConns(), 1},
		"own uses":          {set.connMaxUses(), 6},
		"own timeout":       {set.commandTimeout(), time.Duration(7)},
		"own idle time":     {set.connMaxIdleTime(), time.Duration(4)},
		"own attempts":      {set.retryAttempts(), 8},
		"own delay":         {set.retryDelay(), time.Duration(9)},
		"own backoff":       {set.retryBackoff(), 1.5},
		"own max delay":     {set.retryMaxDelay(), time.Duration(10)},
		"schema of the DSN": {Config{DSN: "host=h schema=a"}.schema(), "a"},
		"schema":            {Config{DSN: "host=h", Schema: "b"}.schema(), "b"},
		"logger":            {c.logger(), slog.Default()},
	} {
		if test[0] != test[1] {
			t.Errorf("%s: got %v, want %v", name, test[0], test[1])
		}
	}
}

// testRetrier waits for nothing and remembers for how long.
func testRetrier(c Config, delays *[]time.Duration) retrier {
	c.Logger = slog.New(slog.DiscardHandler)
	r := c.retrier()
	r.wait = func(ctx context.Context, d time.Duration) error {
		*delays = append(*delays, d)
		return ctx.Err()
	}
	r.random = func() float64 { return 0 }
	return r
}

func TestRetryDelays(t *testing.T) {
	t.Parallel()
	fails := func(context.Context) error { return io.EOF }
	for name, test := range map[string]struct {
		config Config
		random float64
		want   []time.Duration
	}{
		"default": {Config{}, 0, []time.Duration{1e9, 2e9}},
		"capped":  {Config{RetryAttempts: 8}, 0, []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9}},
		"own":     {Config{RetryAttempts: 4, RetryDelay: 4, RetryBackoff: 1.5, RetryMaxDelay: 7}, 0, []time.Duration{4, 6, 7}},
		"jitter":  {Config{}, 0.5, []time.Duration{75e7, 15e8}},
		"none":    {Config{RetryDelay: -1}, 0, []time.Duration{0, 0}},
		"huge": {Config{RetryDelay: math.MaxInt64, RetryMaxDelay: -1, RetryAttempts: 3}, 0,
			[]time.Duration{math.MaxInt64/2 + 1, math.MaxInt64/2 + 1}},
	} {
		var delays []time.Duration
		r := testRetrier(test.config, &delays)
		r.random = func() float64 { return test.random }
		_ = r.do(t.Context(), fails)
		if len(delays) != len(test.want) {
			t.Errorf("%s: got %v, want %v", name, delays, test.want)
			continue
		}
		for i := range delays {
			if delays[i] != test.want[i] {
				t.Errorf("%s: got %v, want %v", name, delays, test.want)
			}
		}
	}
}

func TestRetryKeepsTheTellingError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	telling := &net.OpError{Op: "dial", Err: errors.New("telling")}
	calls := 0
	var delays []time.Duration
	err := testRetrier(Config{}, &delays).do(ctx, func(context.Context) error {
		if calls++; calls == 1 {
			return telling
		}
		cancel()
		return context.Canceled
	})
	if !errors.Is(err, telling) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "after 2 attempts") {
		t.Errorf("got %v", err)
	}
}

func TestMayPass(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{refused, true},
		{&net.DNSError{IsNotFound: true}, true},
		{io.ErrUnexpectedEOF, true},
		{context.DeadlineExceeded, true}, // of connect_timeout
		{&pgconn.PgError{Code: "57P03"}, true},
		{&pgconn.PgError{Code: "28P01"}, false},
		{errors.Join(refused, &pgconn.PgError{Code: "28P01"}), false}, // ::1 and 127.0.0.1
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, false},
		{errors.New("unknown"), false},
	} {
		if got := mayPass(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := wait(t.Context(), 0); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestPoolRegistry(t *testing.T) {
	t.Parallel()
	var r poolRegistry
	a, b := poolTarget{"h", 1, "a"}, poolTarget{"h", 1, "b"}
	first := r.add(a)
	r.add(b)
	if r.shouldWarn(a) || r.shouldWarn(poolTarget{"h", 2, "a"}) {
		t.Error("warned of one pool")
	}
	second := r.add(a)
	if !r.shouldWarn(a) || r.shouldWarn(a) || r.shouldWarn(b) {
		t.Error("not warned once")
	}
	second()
	second()
	third := r.add(a)
	if r.shouldWarn(a) {
		t.Error("warned again")
	}
	first()
	third()
	if len(r.open) != 1 {
		t.Errorf("%d targets are left, want 1", len(r.open))
	}
}

func TestPoolTargetIsTheDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{DSN: "postgres://u:p@h:7/d?schema=x"}, {DSN: "host=h port=7 user=u dbname=d"},
		{Host: "h", Port: 7, User: "v", Database: "d"}, {Host: "h,i", Port: 7, Database: "d"}, {DSN: "postgres://d@h:7"}} {
		r, err := c.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if got := targetOf(r.config); got != (poolTarget{"h", 7, "d"}) {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func TestStatementsAreExpandedAsTheDriverDoes(t *testing.T) {
	t.Parallel()
	const sql = "SELECT 1 <<tables.x>> {{tables.y}}"
	for dsn, want := range map[string]string{
		"host=h schema=a":                  `SELECT 1 "a".x "a".y`,
		"host=h schema=a templates=braces": `SELECT 1 <<tables.x>> "a".y`,
		"host=h":                           "SELECT 1 x y",
	} {
		r, err := Config{DSN: dsn, InitCommands: []string{sql}, Prepare: []string{sql}}.resolve()
		if err != nil {
			t.Error(err)
		} else if r.init[0] != want || r.prepare[0] != want {
			t.Errorf("%s: got %q and %q, want %q", dsn, r.init, r.prepare, want)
		}
	}
}
