package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A process of its own measures the memory of one contender: what others have used before would be used again, unseen.
// It is this program again, with what it has to do in its environment.
const (
	childContender = "BENCH_MEMORY_CONTENDER"
	childDSN       = "BENCH_MEMORY_DSN"
	childSchemas   = "BENCH_MEMORY_SCHEMAS"
	childWorkers   = "BENCH_MEMORY_WORKERS"
)

var memoryContenders = []contender{pgdbmOwn, pgdbmShared, goosePools}

// memory is the experiment about the memory of the client. A run takes long and varies little, so there is one.
func (b *bench) memory(ctx context.Context) error {
	workers := slices.Max(b.workers)
	t := table{
		title: fmt.Sprintf("The client's resident memory (VmHWM, its peak) while %d new schemas are migrated; %s",
			b.config.memory, count(workers, "worker")),
		header: []string{"", "before", "peak", "more", "bound"},
	}
	for _, c := range memoryContenders {
		log.Printf("memory: %s", c.name)
		err := b.inDatabase(ctx, func(dsn string) error {
			before, peak, err := b.memoryOf(ctx, c, dsn, workers)
			t.row(c.name, mebibytes(before), mebibytes(peak), mebibytes(peak-before), promises[c.name].memory)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s, memory: %w", c.name, err)
		}
	}
	t.write(b.out)
	return nil
}

// memoryOf starts the other process and returns what it says, in KiB.
func (b *bench) memoryOf(ctx context.Context, c contender, dsn string, workers int) (before, peak int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), childContender+"="+c.name, childDSN+"="+dsn,
		childSchemas+"="+strconv.Itoa(b.config.memory), childWorkers+"="+strconv.Itoa(workers))
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Fscan(bytes.NewReader(output), &before, &peak)
	return before, peak, err
}

func isMemoryChild() bool { return os.Getenv(childContender) != "" }

// runMemoryChild migrates one schema, so that all code and the first connections are there, then the others, and prints the
// peaks of its memory before and after that.
func runMemoryChild(ctx context.Context) error {
	name := os.Getenv(childContender)
	i := slices.IndexFunc(memoryContenders, func(c contender) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("%s: no contender %q", childContender, name)
	}
	schemas, err := strconv.Atoi(os.Getenv(childSchemas))
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(os.Getenv(childWorkers))
	if err != nil {
		return err
	}
	s, err := memoryContenders[i].open(ctx, os.Getenv(childDSN), workers)
	if err != nil {
		return err
	}
	if err := s.apply(ctx, []string{"first"}, true); err != nil {
		return err
	}
	before, err := peakMemory()
	if err != nil {
		return err
	}
	if err := s.apply(ctx, schemaNames(schemas), true); err != nil {
		return err
	}
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	fmt.Println(before, peak)
	return s.close()
}

// peakMemory is the most memory that this process has had, in KiB; 0 if the system is not Linux.
func peakMemory() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(text, "kB\n")))
		}
	}
	return 0, errors.New("/proc/self/status: no line VmHWM")
}
