package pgserver

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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

// findBinaries returns the programs of the first directory that has both, and the major version if that is not "": the
// directories of path (a list like PATH), then those that match globs, of each glob the highest version first.
func findBinaries(ctx context.Context, path string, globs []string, version string) (binaries, error) {
	others := map[string]bool{} // versions that are there
	for _, dir := range directories(path, globs) {
		found, ok := binariesIn(dir)
		if !ok {
			continue
		}
		if version == "" {
			return found, nil
		}
		switch has, err := found.version(ctx); {
		case err != nil:
			others[err.Error()] = true
		case has == version:
			return found, nil
		default:
			others[has] = true
		}
	}
	if len(others) > 0 {
		return binaries{}, fmt.Errorf("PostgreSQL %s is not installed, only %s; install it (on Debian and Ubuntu: apt-get install "+
			"postgresql-%[1]s)", version, strings.Join(slices.Sorted(maps.Keys(others)), ", "))
	}
	return binaries{}, fmt.Errorf("no directory has both postgres and initdb; looked in PATH (%s) and in %s; "+
		"install PostgreSQL (on Debian and Ubuntu: apt-get install postgresql)", path, strings.Join(globs, ", "))
}

// directories returns where the programs may be, the best place first.
func directories(path string, globs []string) []string {
	dirs := filepath.SplitList(path)
	for _, glob := range globs {
		// A bad pattern matches nothing, and the error that there are no programs shows it.
		found, _ := filepath.Glob(glob)
		slices.SortStableFunc(found, func(a, b string) int {
			return cmp.Compare(majorVersion(b), majorVersion(a))
		})
		dirs = append(dirs, found...)
	}
	return dirs
}

// version asks postgres itself: the name of its directory may say something else.
func (b binaries) version(ctx context.Context) (string, error) {
	const limit = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.postgres, "--version") //nolint:gosec // it is the program that is about to be the server
	cmd.Env, cmd.WaitDelay = []string{"LC_ALL=C"}, limit
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s (which does not say its version: %w)", b.postgres, err)
	}
	match := versionInOutput.FindSubmatch(out)
	if match == nil {
		return "", fmt.Errorf("%s (which does not say its version)", b.postgres)
	}
	return string(match[1]), nil
}

// versionInOutput matches "postgres (PostgreSQL) 17.5 (Debian 17.5-1)", and 18devel.
var versionInOutput = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

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
