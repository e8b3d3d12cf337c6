// Package difflines compares two texts line by line. The examples' tests use it to keep the differences in their
// documentation true, on machines without diff too.
package difflines

import (
	"fmt"
	"strings"
)

// Diff returns what diff -U0 prints for two texts, without the names of the files.
func Diff(before, after string) string {
	a, b := split(before), split(after)
	var out strings.Builder
	common := commonLines(a, b)
	same := func(i, j int) bool { return i < len(a) && j < len(b) && a[i] == b[j] }
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if same(i, j) {
			i, j = i+1, j+1
			continue
		}
		fromA, fromB := i, j
		for !same(i, j) && (i < len(a) || j < len(b)) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(fromA, i-fromA), span(fromB, j-fromB))
		writeLines(&out, "-", a[fromA:i])
		writeLines(&out, "+", b[fromB:j])
	}
	return out.String()
}

// commonLines returns, for each i and j, how many lines a[i:] and b[j:] have in common, in the same order.
func commonLines(a, b []string) [][]int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	return common
}

func writeLines(out *strings.Builder, prefix string, lines []string) {
	for _, line := range lines {
		out.WriteString(prefix + line + "\n")
	}
}

// span is the position of count lines after the first start ones, as diff writes it.
func span(start, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", start)
	case 1:
		return fmt.Sprint(start + 1)
	}
	return fmt.Sprintf("%d,%d", start+1, count)
}

func split(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
