package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// promise is what a contender has to keep to, as the tables show it.
type promise struct{ cpu, wall, idle200, idle5000, memory string }

// promises are the bounds, for the default numbers of schemas.
var promises = map[string]promise{
	pgdbmOwn.name:    {"<= 1.35", ">= 2", "<= 30 ms", "<= 600 ms", "< 64 MiB"},
	pgdbmShared.name: {"<= 1.15", ">= 2", "<= 10 ms", "<= 150 ms", "< 64 MiB"},
}

// table is a table in Markdown that can be read as it is, and the single measurements behind it.
type table struct {
	title   string
	header  []string
	rows    [][]string
	details [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table to out, which is the standard output: an error there has nowhere to go.
func (t *table) write(out io.Writer) {
	fmt.Fprintf(out, "## %s\n\n", t.title)
	writeAligned(out, t.header, t.rows)
	if len(t.details) > 0 {
		fmt.Fprintf(out, "\nEach round:\n\n")
		header := []string{""}
		for i := range len(t.details[0]) - 1 {
			header = append(header, fmt.Sprint(i+1))
		}
		writeAligned(out, header, t.details)
	}
	fmt.Fprintln(out)
}

func writeAligned(out io.Writer, header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), len("---"))
		}
	}
	rule := make([]string, len(header))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	for _, row := range append([][]string{header, rule}, rows...) {
		for i, cell := range row {
			fmt.Fprintf(out, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(out, "|")
	}
}

// detail adds a value of each round, if it was measured.
func detail[R any](t *table, name string, runs []R, value func(R) time.Duration) {
	row := []string{name}
	measured := false
	for _, r := range runs {
		measured = measured || value(r) != 0
		row = append(row, show(value(r)))
	}
	if !measured {
		return
	}
	t.details = append(t.details, row)
}

// medianOf is the median of a value over the rounds.
func medianOf[R any](runs []R, value func(R) time.Duration) string {
	var values []time.Duration
	for _, r := range runs {
		values = append(values, value(r))
	}
	return show(median(values))
}

// ratio is the median of what a and b make of each other in the same round.
func ratio[R any](a, b []R, value func(R) time.Duration) string {
	var ratios []float64
	for i := range a {
		if value(b[i]) == 0 {
			return "-"
		}
		ratios = append(ratios, float64(value(a[i]))/float64(value(b[i])))
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

// median is the middle one of the values, or the mean of the two in the middle.
func median[T time.Duration | float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// show writes a time with as many digits as it can bear; 0, which is not measured, as a dash.
func show(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
}

func mebibytes(kibibytes int) string { return fmt.Sprintf("%.1f MiB", float64(kibibytes)/1024) }

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
