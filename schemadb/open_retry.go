package schemadb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// OpenError is the error of Open when it got no connection.
type OpenError struct {
	// Attempts is how often Open tried.
	Attempts int

	// Err is the error of the last attempt, joined with the context's if that has ended. errors.As finds a
	// *pgconn.ConnectError or a *ConfigError (of InitCommands and Prepare) in it, and a *pgconn.PgError if the server
	// has answered.
	Err error
}

// Error says how often it was tried and what failed in the end.
func (e *OpenError) Error() string {
	times := "attempts"
	if e.Attempts == 1 {
		times = "attempt"
	}
	return fmt.Sprintf("pgdbm: cannot connect, after %d %s: %s", e.Attempts, times,
		strings.TrimPrefix(e.Err.Error(), "pgdbm: "))
}

// Unwrap returns the error of the last attempt.
func (e *OpenError) Unwrap() error { return e.Err }

// retrier repeats what fails for reasons that may pass.
type retrier struct {
	attempts        int
	delay, maxDelay time.Duration
	backoff         float64
	logger          *slog.Logger

	wait   func(context.Context, time.Duration) error
	random func() float64 // in [0, 1)
}

func (c Config) retrier() retrier {
	return retrier{
		attempts: c.retryAttempts(),
		delay:    c.retryDelay(),
		maxDelay: c.retryMaxDelay(),
		backoff:  c.retryBackoff(),
		logger:   c.logger(),
		wait:     wait,
		random:   rand.Float64,
	}
}

// do calls connect until it succeeds, fails for good or ctx ends. Its error is an *OpenError.
func (r retrier) do(ctx context.Context, connect func(context.Context) error) error {
	var last error
	for attempt := 1; ; attempt++ {
		err := connect(ctx)
		if err == nil {
			return nil
		}
		ended := ctx.Err()
		if last == nil || ended == nil { // else it may say no more than that ctx has ended
			last = err
		}
		if ended == nil {
			if attempt >= r.attempts || !mayPass(err) {
				return &OpenError{Attempts: attempt, Err: err}
			}
			delay := r.delayAfter(attempt)
			r.logger.WarnContext(ctx, "pgdbm: cannot connect, trying again",
				"attempt", attempt, "attempts", r.attempts, "delay", delay, "error", err)
			ended = r.wait(ctx, delay)
		}
		if ended != nil {
			if !errors.Is(last, ended) {
				last = fmt.Errorf("%w; before that: %w", ended, last)
			}
			return &OpenError{Attempts: attempt, Err: last}
		}
	}
}

// delayAfter returns how long to wait after an attempt, counted from 1.
func (r retrier) delayAfter(attempt int) time.Duration {
	delay := float64(r.delay) * math.Pow(r.backoff, float64(attempt-1))
	delay = min(delay, float64(r.maxDelay), math.MaxInt64/2)
	return time.Duration(delay * (1 - r.random()/2))
}

// wait waits, and returns early with ctx's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passing are the SQLSTATEs of a server that takes no connections now but may do so in a moment: too_many_connections,
// admin_shutdown, crash_shutdown, cannot_connect_now.
var passing = []string{"53300", "57P01", "57P02", "57P03"}

// mayPass reports whether connecting may succeed a moment after it failed with err. What the server says counts before
// what the network says: with several addresses, err is all of their errors.
func mayPass(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return slices.Contains(passing, server.Code)
	}
	var network net.Error
	return !isTLSFailure(err) &&
		(errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}

// isTLSFailure reports whether the two sides do not accept each other's certificates or TLS versions.
func isTLSFailure(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		alert        *net.OpError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &hostname) ||
		errors.As(err, &invalid) || errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error")
}
