package difflines_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/examples/internal/difflines"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"aa bb", "aa bb", ""},
		{"aa bb cc", "aa xx cc", "@@ -2 +2 @@\n-bb\n+xx\n"},
		{"aa cc", "aa bb cc", "@@ -1,0 +2 @@\n+bb\n"},
		{"aa bb cc", "aa cc", "@@ -2 +1,0 @@\n-bb\n"},
		{"aa", "aa bb cc", "@@ -1,0 +2,2 @@\n+bb\n+cc\n"},
		{"aa bb", "xx", "@@ -1,2 +1 @@\n-aa\n-bb\n+xx\n"},
	} {
		if got := difflines.Diff(lines(c.a), lines(c.b)); got != c.want {
			t.Errorf("from %s to %s: got\n%swant\n%s", c.a, c.b, got, c.want)
		}
	}
}

// lines puts each word on a line of its own.
func lines(words string) string { return strings.ReplaceAll(words, " ", "\n") + "\n" }
