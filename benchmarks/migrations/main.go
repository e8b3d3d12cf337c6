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
)

// config is what the flags say.
type config struct {
	rounds  int
	schemas int     // of the experiment with new schemas
	workers numbers // each is measured
	many    int     // schemas of the experiment with nothing to do; 0 leaves it out
	memory  int     // schemas of the experiment about the client's memory; 0 leaves it out
}

func main() {
	if isMemoryChild() {
		exit(runMemoryChild(context.Background()))
	}
	c := config{workers: numbers{1, 8}}
	flag.IntVar(&c.rounds, "rounds", 5, "how many times everybody takes a turn")
	flag.IntVar(&c.schemas, "schemas", 200, "how many new schemas to migrate")
	flag.Var(&c.workers, "workers", "how many workers, as a list of `numbers`: each is measured")
	flag.IntVar(&c.many, "many", 5000, "in how many schemas there is nothing to do; 0 leaves out this, the longest part")
	flag.IntVar(&c.memory, "memory", 2000, "with how many schemas to measure the memory of the client; 0 leaves this out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, os.Stdout, c))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run does all experiments and writes their tables to out.
func run(ctx context.Context, out io.Writer, c config) (err error) {
	b, err := newBench(ctx, out, c)
	if err != nil {
		return err
	}
	defer func() { err = b.close(err) }()
	if err := b.checkSet(ctx); err != nil {
		return err
	}
	for _, workers := range c.workers {
		if err := b.fresh(ctx, workers); err != nil {
			return err
		}
	}
	if c.many > 0 {
		if err := b.many(ctx); err != nil {
			return err
		}
	}
	if c.memory > 0 {
		return b.memory(ctx)
	}
	return nil
}

// numbers is a flag that is a list of positive numbers, as in 1,8.
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
