package pgserver

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// usualPlaces are patterns of directories that hold PostgreSQL's programs but
// are often not in PATH, in the order of preference.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // packages of postgresql.org for Red Hat
	"/usr/local/pgsql/bin",      // built from source
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// binaries are the programs that make a server.
type binaries struct {
	initdb, postgres string
}

// findBinaries returns the programs of the first directory that has both: the
// directories of path (a list like PATH), then those that match globs, of each
// glob the highest version first.
func findBinaries(path string, globs []string) (binaries, error) {
	for _, dir := range filepath.SplitList(path) {
		if found, ok := binariesIn(dir); ok {
			return found, nil
		}
	}
	for _, glob := range globs {
		// A bad pattern matches nothing, and the error below shows it.
		dirs, _ := filepath.Glob(glob)
		slices.SortStableFunc(dirs, func(a, b string) int {
			return cmp.Compare(majorVersion(b), majorVersion(a))
		})
		for _, dir := range dirs {
			if found, ok := binariesIn(dir); ok {
				return found, nil
			}
		}
	}
	return binaries{}, fmt.Errorf("pgserver: no PostgreSQL server found: no directory has both postgres and initdb; "+
		"looked in PATH (%s) and in %s; install it (on Debian and Ubuntu: apt-get install postgresql) "+
		"or set %s to the connection string of a running server",
		path, strings.Join(globs, ", "), dsnVariable)
}

// binariesIn reports whether dir has the programs. Like os/exec it ignores a
// relative dir, which would depend on the current directory.
func binariesIn(dir string) (binaries, bool) {
	b := binaries{
		initdb:   filepath.Join(dir, "initdb"),
		postgres: filepath.Join(dir, "postgres"),
	}
	return b, filepath.IsAbs(dir) && isProgram(b.initdb) && isProgram(b.postgres)
}

func isProgram(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

var versionInDir = regexp.MustCompile(`(\d+)(?:\.\d+)*/bin$`)

// majorVersion returns the 16 of ".../postgresql@16/bin", 0 if there is none.
func majorVersion(dir string) int {
	match := versionInDir.FindStringSubmatch(filepath.ToSlash(dir))
	if match == nil {
		return 0
	}
	version, _ := strconv.Atoi(match[1]) // digits; too many are no version
	return version
}
