//go:build unix

package pgdocker

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/ory/dockertest/v3/docker"

	"github.com/pgdbm/pgdbm/internal/needs"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// helperVariable makes the test binary a program that uses a server, writes its DSN and ends with its input. The value is
// "tls" for TLS.
const helperVariable = "PGDOCKER_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperVariable); mode != "" {
		s := newServer()
		s.TLS = mode == "tls"
		dsn, err := s.DSN(context.Background())
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " | "))
			os.Exit(1)
		}
		fmt.Println(dsn)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newServer() *pgserver.Server {
	return &pgserver.Server{Shared: true, Sources: []pgserver.Source{Source}}
}

// needEngine returns a client of an engine that has an image.
func needEngine(t *testing.T) *docker.Client {
	t.Helper()
	client, err := engine(t.Context())
	if err != nil {
		needs.Missing(t, err)
	}
	list, err := client.ListImages(docker.ListImagesOptions{Filters: map[string][]string{"reference": {repository}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		needs.Missing(t, fmt.Errorf("the Docker engine has no image %s", repository))
	}
	return client
}

// helper starts a program that uses a server in tempDir, and returns the line that it writes.
func helper(t *testing.T, tempDir, mode string, env ...string) (program *exec.Cmd, line string) {
	t.Helper()
	base := []string{helperVariable + "=" + mode, "TMPDIR=" + tempDir, "PGDBM_TEST_SERVER=docker", "PGDBM_TEST_IMAGE="}
	program, output := supervisetest.Again(t, append(base, env...)...)
	line, err := output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return program, strings.TrimSpace(line)
}

// end kills a helper.
func end(program *exec.Cmd) {
	program.Process.Kill()
	program.Wait()
}

// containersOf returns the containers of keepers in tempDir.
func containersOf(t *testing.T, client *docker.Client, tempDir string) (list []docker.APIContainers) {
	t.Helper()
	all, err := client.ListContainers(docker.ListContainersOptions{All: true, Filters: map[string][]string{"label": {keeperLabel}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.HasPrefix(c.Labels[keeperLabel], tempDir+"/") {
			list = append(list, c)
		}
	}
	return list
}

// awaitNothing waits until neither a container nor a file is left.
func awaitNothing(t *testing.T, client *docker.Client, tempDir string) {
	t.Helper()
	supervisetest.Eventually(t, "container gone", func() bool { return len(containersOf(t, client, tempDir)) == 0 })
	supervisetest.Eventually(t, "home gone", func() bool {
		entries, err := os.ReadDir(tempDir)
		return err == nil && len(entries) == 0
	})
}

// value returns the only value that a query gives.
func value[T any](t *testing.T, dsn, query string) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}
