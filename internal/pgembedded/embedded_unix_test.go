//go:build unix

package pgembedded

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/needs"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// archive returns the local programs as the repository has them, a compressed tar file, and their major version. Debian's
// programs find what is not in their directory where it was installed.
func archive(t *testing.T) (txz []byte, major string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		needs.Missing(t, errors.New("there is no PostgreSQL of Debian's to make an archive of"))
	}
	version, err := exec.Command(found[0], "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	major = regexp.MustCompile(`\d+`).FindString(string(version))
	cmd := exec.Command("tar", "-C", filepath.Dir(filepath.Dir(found[0])), "-cJ",
		"bin/initdb", "bin/postgres", "bin/pg_ctl", "lib/plpgsql.so", "lib/dict_snowball.so")
	cmd.Env = append(os.Environ(), "XZ_OPT=-0")
	txz, err = cmd.Output()
	if err != nil {
		needs.Missing(t, err) // xz may be missing
	}
	return txz, major
}

// jar packs an archive.
func jar(t *testing.T, txz []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	entry, err := w.CreateHeader(&zip.FileHeader{Name: "postgres-test.txz"}) // not compressed again
	if err == nil {
		_, err = entry.Write(txz)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// mirror is a repository that has one file for each version.
type mirror struct {
	*httptest.Server
	downloads atomic.Int32
}

func newMirror(t *testing.T, file []byte, sum [sha256.Size]byte) *mirror {
	t.Helper()
	m := &mirror{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".jar.sha256"):
			w.Write([]byte(hex.EncodeToString(sum[:])))
		case strings.HasSuffix(r.URL.Path, ".jar"):
			m.downloads.Add(1)
			w.Write(file)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// newOrder has directories of the test's own.
func newOrder(t *testing.T, version string) pgserver.Order {
	t.Helper()
	return pgserver.Order{Request: pgserver.Request{Version: version}, Path: os.Getenv("PATH"),
		Cache: supervisetest.PublicDir(t, "pgembedded-cache-"), TempDir: supervisetest.PublicDir(t, "pgembedded-test-")}
}

// newJob is the job of downloading for the order.
func newJob(t *testing.T, o pgserver.Order, url string) job {
	t.Helper()
	version, err := known(o.Version)
	if err != nil {
		t.Fatal(err)
	}
	return job{Cache: o.Cache, Version: version, URL: url}
}

// TestDownload goes all the way: downloads that fail, ten at once that do not, and servers from them.
func TestDownload(t *testing.T) {
	t.Parallel()
	txz, major := archive(t)
	good, half := jar(t, txz), jar(t, txz[:len(txz)/2])
	o := newOrder(t, major)
	for _, test := range []struct {
		name   string
		mirror *mirror
		want   string
	}{
		{"changed on the way", newMirror(t, good, sha256.Sum256(half)), "checksums do not match"},
		{"incomplete", newMirror(t, half, sha256.Sum256(half)), "unable to extract"},
		{"no file of that kind", newMirror(t, []byte("<html>"), sha256.Sum256([]byte("<html>"))), "error fetching postgres"},
	} {
		_, err := startFrom(t.Context(), o, test.mirror.URL)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "PGDBM_TEST_DOWNLOAD") {
			t.Errorf("%s: error = %v", test.name, err)
		}
		checkCache(t, o.Cache, ".lock")
	}

	m := newMirror(t, good, sha256.Sum256(good))
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := install(t.Context(), newJob(t, o, m.URL)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := m.downloads.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
	m.Close()
	for range 2 { // the second one from what initdb has made before
		checkServer(t, o, m.URL)
	}
	checkCache(t, o.Cache, ".lock", "embedded-", "data-")
}

// checkServer starts a server, and sees where its programs are.
func checkServer(t *testing.T, o pgserver.Order, url string) {
	t.Helper()
	server, err := startFrom(t.Context(), o, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := pgx.Connect(t.Context(), server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var bin string
	if err := conn.QueryRow(t.Context(), "SELECT setting FROM pg_config() WHERE name = 'BINDIR'").Scan(&bin); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(bin, o.Cache) {
		t.Errorf("the server is from %s", bin)
	}
}

// checkCache checks that there is nothing in a directory but what has one of the texts in its name.
func checkCache(t *testing.T, dir string, texts ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(texts) {
		t.Errorf("%v in the cache, which should have %v", entries, texts)
	}
}

// TestInterrupted gives up while a download hangs, and sees that it is in nobody's way.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	txz, major := archive(t)
	o := newOrder(t, major)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done() // the installer has gone
		close(done)
	}))
	defer hanging.Close()
	if _, err := install(ctx, newJob(t, o, hanging.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	<-done
	good := jar(t, txz)
	checkServer(t, o, newMirror(t, good, sha256.Sum256(good)).URL)
}

func TestNoRepository(t *testing.T) {
	t.Parallel()
	o := newOrder(t, "17")
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	for url, want := range map[string]string{
		gone.URL: "no version found matching 17", "http://me:secret@127.0.0.1:1/": "unable to connect to PGDBM_TEST_DOWNLOAD",
	} {
		_, err := startFrom(t.Context(), o, url)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "set PGDBM_TEST_DOWNLOAD") ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error = %v", url, err)
		}
	}
	checkCache(t, o.Cache, ".lock")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, version := range []string{"", "13", "14", "15", "16", "17"} {
		key, err := Source.Check(t.Context(), pgserver.Order{Request: pgserver.Request{Version: version}, Cache: "/cache"})
		if err != nil || keys[key] {
			t.Errorf("version %q: %q, %v", version, key, err)
		}
		keys[key] = true
	}
	for want, o := range map[string]pgserver.Order{
		"no PostgreSQL 12 to download, only 13, 14, 15, 16, 17, 18": {Request: pgserver.Request{Version: "12"}, Cache: "/cache"},
		"without TLS":        {Request: pgserver.Request{TLS: true}, Cache: "/cache"},
		"no cache directory": {},
	} {
		if _, err := Source.Check(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error = %v", o, err)
		}
	}
}
