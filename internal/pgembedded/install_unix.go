//go:build unix

package pgembedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

// installVariable makes a program that has this package an installer. Its value is the job.
const installVariable = "PGDBM_TEST_INSTALL"

// job is what an installer has to do.
type job struct {
	Cache   string
	Version embeddedpostgres.PostgresVersion
	URL     string // of the repository; "" for the usual one
}

// dir is where the programs are. It is there when they are complete.
func (j job) dir() string { return filepath.Join(j.Cache, "embedded-"+string(j.Version)) }

// installLimit bounds the download.
const installLimit = 10 * time.Minute

// install sees to it that the programs are there, and returns their directory.
func install(ctx context.Context, j job) (dir string, err error) {
	if err := supervise.MakeShared(j.Cache); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	if _, err := os.Stat(j.dir()); err == nil {
		return j.dir(), nil
	}
	account, err := supervise.Account()
	if err != nil {
		return "", err
	}
	order, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	program, err := self()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(withoutPG(os.Environ()), installVariable+"="+string(order))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: account}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stdin, err := cmd.StdinPipe() // its end is the installer's sign to give up, also if we are killed
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting the download: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = stdin.Close() })
	defer stop()
	err = cmd.Wait()
	text := strings.TrimSpace(output.String())
	if j.URL != "" { // it may have a password
		text = strings.ReplaceAll(text, strings.TrimSuffix(j.URL, "/"), downloadVariable)
	}
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("downloading PostgreSQL %s: %w", j.Version, ctx.Err())
	case err != nil:
		return "", fmt.Errorf("downloading PostgreSQL %s: %s (%w); connect to the internet, or set %s to the base URL of a mirror "+
			"of the Maven repository", j.Version, text, err, downloadVariable)
	}
	return j.dir(), nil
}

// self returns a path of this program which also works if its directory is closed to the account, as that of go test's is.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// withoutPG returns the environment without the variables that would change what initdb, postgres and their clients do.
func withoutPG(env []string) []string {
	var kept []string
	for _, variable := range env {
		if !strings.HasPrefix(variable, "PG") && !strings.HasPrefix(variable, "LC_") {
			kept = append(kept, variable)
		}
	}
	return append(kept, "LC_ALL=C")
}
