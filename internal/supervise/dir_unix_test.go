//go:build unix

package supervise

import (
	"strings"
	"testing"
)

func TestParentDir(t *testing.T) {
	t.Parallel()
	open := "/tmp"
	closed := t.TempDir() // in a directory of mode 0700
	for _, test := range []struct {
		name, dir string
		foreign   bool
		want      string
	}{
		{"open", open, true, open},
		{"own", closed, false, closed},
		{"closed to the other user", closed, true, fallbackDir},
		{"not writable", "/usr", true, fallbackDir},
		{"missing", "/missing/dir", true, fallbackDir},
		{"too long", "/" + strings.Repeat("x", 80), false, fallbackDir},
		{"longest", "/" + strings.Repeat("x", 65), false, "/" + strings.Repeat("x", 65)},
		{"comma", "/var/a,b", false, fallbackDir},
	} {
		if got := parentDir(test.dir, test.foreign); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
