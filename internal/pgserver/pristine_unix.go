//go:build unix

package pgserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

// pristine is a data directory as initdb makes it, which is kept because a copy takes a tenth of the time. The zero value is
// none.
type pristine struct {
	path  string
	fresh string // where the server puts a new one if there is none yet
}

// findPristine returns the place for what the programs make. Each version of them has its own. It needs no cache to start a
// server, so errors mean none.
func findPristine(cache string, programs binaries, server string) pristine {
	if cache == "" {
		return pristine{}
	}
	key := sha256.New()
	for _, program := range []string{programs.initdb, programs.postgres} {
		info, err := os.Stat(program)
		if err != nil {
			return pristine{}
		}
		fmt.Fprintln(key, program, info.Size(), info.ModTime().UnixNano())
	}
	fmt.Fprintln(key, initdbOptions)
	if err := supervise.MakeShared(cache); err != nil {
		return pristine{}
	}
	sweepFresh(cache)
	p := pristine{path: filepath.Join(cache, "data-"+hex.EncodeToString(key.Sum(nil)[:8]))}
	if _, err := os.Stat(p.path); err != nil {
		p.fresh = filepath.Join(cache, freshPrefix+filepath.Base(server))
	}
	return p
}

const freshPrefix = "new-"

// sweepFresh removes what killed starts have left.
func sweepFresh(cache string) {
	entries, _ := os.ReadDir(cache) // nothing to remove
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && strings.HasPrefix(entry.Name(), freshPrefix) && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(filepath.Join(cache, entry.Name())) // the next start tries again
		}
	}
}

// keep gives a new directory its name. If somebody else was faster, his is as good.
func (p pristine) keep() {
	if p.fresh != "" && os.Rename(p.fresh, p.path) != nil {
		_ = os.RemoveAll(p.fresh) // else sweepFresh does
	}
}
