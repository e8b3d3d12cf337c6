package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	rounds   int
	requests int           // of each contender, in a round
	tenants  numbers       // each is measured
	zipf     numbers       // of these, Zipf's law is measured too
	delay    time.Duration // each way, of the proxy; 0 leaves that out
	svg      string        // file for the curve; "" for none

	paths     numbers       // with how many tenants to measure bare names
	pathDelay time.Duration // each way, of the proxy for them; 0 leaves that out
	onlyPaths bool          // nothing else
}

func main() {
	c := config{tenants: numbers{1, 10, 100, 1000, 5000, 10000}, zipf: numbers{10000}, paths: numbers{10}}
	flag.IntVar(&c.rounds, "rounds", 5, "how many times everybody takes a turn")
	flag.IntVar(&c.requests, "requests", 1000, "how many requests of each contender a round has; each makes four queries")
	flag.Var(&c.tenants, "tenants", "how many tenants, as a list of `numbers`: each is measured")
	flag.Var(&c.zipf, "zipf", "with how many tenants to measure Zipf's law too, as a list of `numbers`")
	flag.DurationVar(&c.delay, "delay", 500*time.Microsecond, "what a network adds each way, in a second part; 0 leaves that out")
	flag.StringVar(&c.svg, "svg", "", "write the curve to this `file`")
	flag.Var(&c.paths, "paths", "with how many tenants to measure schema_mode=search_path, as a list of `numbers`")
	flag.DurationVar(&c.pathDelay, "pathdelay", time.Millisecond, "what a network adds each way for them; 0 leaves that out")
	flag.BoolVar(&c.onlyPaths, "onlypaths", false, "measure nothing but schema_mode=search_path")
	flag.Parse()
	if c.onlyPaths {
		c.tenants, c.zipf = nil, nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run measures everything and writes tables to out.
func run(ctx context.Context, out io.Writer, c config) (err error) {
	b, err := newBench(ctx, out, c)
	if err != nil {
		return err
	}
	defer func() { err = b.close(err) }()
	var curve []point
	for _, n := range c.tenants {
		measured, err := b.part(ctx, part{tenants: n})
		if err != nil {
			return err
		}
		curve = append(curve, point{n, measured})
	}
	for _, n := range c.zipf {
		if _, err := b.part(ctx, part{tenants: n, zipf: true}); err != nil {
			return err
		}
	}
	if c.delay > 0 {
		for _, n := range c.tenants {
			if _, err := b.part(ctx, part{tenants: n, delay: c.delay}); err != nil {
				return err
			}
		}
	}
	for _, n := range c.paths {
		if err := b.paths(ctx, part{tenants: n}); err != nil {
			return err
		}
		if c.pathDelay > 0 {
			if err := b.paths(ctx, part{tenants: n, delay: c.pathDelay}); err != nil {
				return err
			}
		}
	}
	if c.svg == "" {
		return nil
	}
	return os.WriteFile(c.svg, []byte(chart(curve)), 0o644) //nolint:gosec // everybody may look at it
}

// numbers is a flag that is a list of positive numbers, as in 1,100.
type numbers []int

func (n *numbers) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint([]int(*n))), ","), "[]")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for _, field := range strings.Split(text, ",") {
		number, err := strconv.Atoi(field)
		if err != nil || number < 1 {
			return fmt.Errorf("%q is not a positive number", field)
		}
		*n = append(*n, number)
	}
	return nil
}
