package pgserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// candidate is a source as a launch tries it.
type candidate struct {
	name  string
	limit time.Duration
	begin func(context.Context) (Running, error)
}

// candidates returns the sources that s has, or the one that is forced.
func (s *Server) candidates(with settings) ([]candidate, error) {
	request := Request{Version: s.Version, TLS: s.TLS}
	order := Order{Request: request, Cache: with.cache, Path: with.path, Linger: with.linger, Globs: with.globs, TempDir: with.tempDir,
		Loopback: s.Loopback && !s.Shared}
	all := []candidate{{sourceDSN, startLimit, func(ctx context.Context) (Running, error) { return useGiven(ctx, with, request) }}}
	for _, source := range append([]Source{local}, s.Sources...) {
		order := order
		order.Source = source.Name
		begin := func(ctx context.Context) (Running, error) { return join(ctx, source, order) }
		if !s.Shared {
			begin = func(ctx context.Context) (Running, error) { return startAlone(ctx, source, order) }
		}
		all = append(all, candidate{source.Name, source.limit(), begin})
	}
	if with.forced == "" {
		return all, nil
	}
	known := []string{sourceDSN, sourceLocal, sourceDocker, sourceEmbedded}
	if !slices.Contains(known, with.forced) {
		return nil, fmt.Errorf("pgserver: %s is %q; it can be %s", serverVariable, with.forced, strings.Join(known, ", "))
	}
	i := slices.IndexFunc(all, func(c candidate) bool { return c.name == with.forced })
	if i < 0 {
		return nil, fmt.Errorf("pgserver: %s is %s, which this program does not have: only what uses package fixtures has all sources; "+
			"unset it, or set it to dsn or local", serverVariable, with.forced)
	}
	return all[i : i+1], nil
}

// startAlone starts a server that is not shared, and has no keeper: only the local server ends with us if we are killed.
func startAlone(ctx context.Context, source Source, order Order) (Running, error) {
	if source.Name != sourceLocal {
		return Running{}, errors.New("its servers can only be shared")
	}
	if _, err := source.Check(ctx, order); err != nil {
		return Running{}, err
	}
	return source.Start(ctx, order)
}

// choose returns the first server that there is, and whether it was started for us.
func (s *Server) choose(ctx context.Context, with settings) (server Running, own bool, err error) {
	candidates, err := s.candidates(with)
	if err != nil {
		return Running{}, false, err
	}
	none := &NoServerError{Request: Request{Version: s.Version, TLS: s.TLS}, Forced: with.forced}
	for _, c := range candidates {
		server, err := c.begun(ctx)
		if err == nil {
			return server, c.name != sourceDSN, nil
		}
		if errors.Is(ctx.Err(), context.Canceled) { // by Stop
			return Running{}, false, fmt.Errorf("%w: %w", errStopped, err)
		}
		none.Refused = append(none.Refused, Refusal{c.name, err})
		if errors.Is(err, errNamed) {
			break
		}
	}
	return Running{}, false, none
}

func (c candidate) begun(ctx context.Context) (Running, error) {
	const answer = 5 * time.Second // a keeper whose time is over says so
	ctx, cancel := context.WithTimeout(ctx, c.limit+answer)
	defer cancel()
	return c.begin(ctx)
}
