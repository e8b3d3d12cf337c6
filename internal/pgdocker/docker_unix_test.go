//go:build unix

package pgdocker

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/ory/dockertest/v3/docker"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

const tlsInUse = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

// TestServer has two processes on one server, which goes with the second one.
func TestServer(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	tempDir := supervisetest.PublicDir(t, "pgdocker-test-")
	first, dsn := helper(t, tempDir, "plain")
	second, again := helper(t, tempDir, "plain")
	if dsn != again {
		t.Errorf("two servers: %s and %s", dsn, again)
	}
	list := containersOf(t, client, tempDir)
	if len(list) != 1 {
		t.Fatalf("%d containers", len(list))
	}
	if value[bool](t, dsn, tlsInUse) {
		t.Error("the connection is TLS")
	}
	for name, want := range map[string]string{"fsync": "off", "max_connections": "1000", "server_encoding": "UTF8",
		"wal_segment_size": "1MB", "data_directory": "/pgdbm/data", "password_encryption": "scram-sha-256"} {
		if got := value[string](t, dsn, "SHOW "+name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if got := value[string](t, dsn+"&search_path=somewhere", "SHOW search_path"); got != "somewhere" {
		t.Errorf("search_path = %q", got)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "postgres"
	if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		conn.Close(t.Context())
		t.Error("any password will do")
	}
	end(first)
	if got := value[int](t, again, "SELECT 1"); got != 1 {
		t.Error("the server has gone with its first user")
	}
	end(second)
	awaitNothing(t, client, tempDir)
	for _, mount := range list[0].Mounts { // the image may have volumes
		if _, err := client.InspectVolume(mount.Name); mount.Name != "" && err == nil {
			t.Errorf("the volume for %s is left", mount.Destination)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	tempDir := supervisetest.PublicDir(t, "pgdocker test+%41-")
	program, dsn := helper(t, tempDir, "tls")
	if !value[bool](t, dsn, tlsInUse) {
		t.Error("the connection is not TLS")
	}
	if !strings.Contains(dsn, "sslmode=verify-full&sslrootcert=") {
		t.Errorf("the certificate is not checked: %s", dsn)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, err := newCertificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	config.TLSConfig.RootCAs = x509.NewCertPool()
	config.TLSConfig.RootCAs.AppendCertsFromPEM(cert)
	if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		conn.Close(t.Context())
		t.Error("another server's certificate will do")
	}
	end(program)
	awaitNothing(t, client, tempDir)
}

// TestVersion is not parallel, for Setenv.
func TestVersion(t *testing.T) {
	client := needEngine(t)
	image, err := findImage(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	_, tag := docker.ParseRepositoryTag(image)
	tempDir := supervisetest.PublicDir(t, "pgdocker-test-")
	t.Setenv("TMPDIR", tempDir)
	t.Setenv("PGDBM_TEST_SERVER", "docker")
	s := newServer()
	s.Version = majorVersion(tag)
	dsn, err := s.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := value[int](t, dsn, "SELECT current_setting('server_version_num')::int / 10000"); strconv.Itoa(got) != s.Version {
		t.Errorf("version %d, want %s", got, s.Version)
	}
	if !s.Own(t.Context()) {
		t.Error("it is not our own")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	awaitNothing(t, client, tempDir)
}

// keeperOf returns the process that keeps the server in tempDir.
func keeperOf(t *testing.T, tempDir string) *os.Process {
	t.Helper()
	processes, _ := filepath.Glob("/proc/[0-9]*")
	if len(processes) == 0 {
		t.Skip("this test finds processes in /proc")
	}
	for _, process := range processes {
		env, _ := os.ReadFile(process + "/environ") // errors: it has just ended
		if strings.Contains(string(env), "PGDBM_TEST_KEEPER=") && strings.Contains(string(env), tempDir+"/") {
			pid, _ := strconv.Atoi(filepath.Base(process)) // the pattern has only numbers
			found, err := os.FindProcess(pid)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	t.Fatal("no keeper")
	return nil
}

// TestKeeperKilled sees the container end with its keeper, and the next one start.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	tempDir := supervisetest.PublicDir(t, "pgdocker-test-")
	first, before := helper(t, tempDir, "plain")
	if err := keeperOf(t, tempDir).Kill(); err != nil {
		t.Fatal(err)
	}
	supervisetest.Eventually(t, "container gone", func() bool { return len(containersOf(t, client, tempDir)) == 0 })
	second, after := helper(t, tempDir, "plain")
	if before == after {
		t.Error("the dead server is still in use")
	}
	end(first)
	end(second)
	awaitNothing(t, client, tempDir)
}

// leave makes a container that a killed keeper could have left.
func leave(t *testing.T, client *docker.Client, host, socket string) (id string) {
	t.Helper()
	image, err := findImage(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.CreateContainer(docker.CreateContainerOptions{Context: t.Context(), Config: &docker.Config{
		Image: image, Labels: map[string]string{hostLabel: host, keeperLabel: socket}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.RemoveContainer(docker.RemoveContainerOptions{ID: c.ID, Force: true, RemoveVolumes: true}) // it may be gone
	})
	return c.ID
}

// TestSweep has containers whose keepers are gone, and others that are nobody's to remove.
func TestSweep(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	dir := supervisetest.PublicDir(t, "pgdocker-test-")
	dead, alive := listen(t, dir+"/dead"), listen(t, dir+"/alive")
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	for _, test := range []struct {
		name, host, socket string
		stays              bool
	}{
		{"no socket", thisHost(), dir + "/none", false},
		{"nobody listens", thisHost(), dir + "/dead", false},
		{"our own socket", thisHost(), dir + "/ours", false},
		{"another keeper", thisHost(), dir + "/alive", true},
		{"another host", "another " + thisHost(), dir + "/none", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := leave(t, client, test.host, test.socket)
			sweep(t.Context(), client, dir+"/ours")
			_, err := client.InspectContainer(id)
			if (err == nil) != test.stays {
				t.Errorf("inspecting the container: %v", err)
			}
		})
	}
	ours := listen(t, dir+"/ours") // the new keeper's
	defer ours.Close()
	id := leave(t, client, thisHost(), dir+"/ours")
	sweep(t.Context(), client, dir+"/ours")
	if _, err := client.InspectContainer(id); err == nil {
		t.Error("the container of the keeper before is still there")
	}
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRacingProcesses starts ten programs at once.
func TestRacingProcesses(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	tempDir := supervisetest.PublicDir(t, "pgdocker-test-")
	lines := make(chan string)
	const n = 10
	for range n {
		go func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0]) // its input is at its end at once
			cmd.Env = append(os.Environ(), helperVariable+"=plain", "TMPDIR="+tempDir, "PGDBM_TEST_SERVER=docker")
			out, err := cmd.CombinedOutput()
			lines <- fmt.Sprint(string(out), err)
		}()
	}
	first := <-lines
	for range n - 1 {
		if line := <-lines; line != first || !strings.HasPrefix(line, "postgres://") {
			t.Errorf("%s and %s", first, line)
		}
	}
	awaitNothing(t, client, tempDir)
}

// TestAddresses connects as somebody does who cannot reach the published port, and wants what the server does not have.
func TestAddresses(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	image, err := findImage(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	o := pgserver.Order{Home: supervisetest.PublicDir(t, "pgdocker-test-"), Request: pgserver.Request{TLS: true, Version: "99"}}
	defer listen(t, o.Socket()).Close() // else the other tests' keepers sweep it
	c, err := newContainer(client, image, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.remove(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.start(t.Context()); err == nil || !strings.Contains(err.Error(), ", not 99") {
		t.Errorf("a server of another version: error = %v", err)
	}
	state, err := client.InspectContainer(c.id)
	if err != nil {
		t.Fatal(err)
	}
	all := c.addresses(state.NetworkSettings)
	if len(all) != 2 || all[0].host != "127.0.0.1" || all[1].port != "5432" {
		t.Fatalf("addresses: %+v", all)
	}
	closed := address{"127.0.0.1", "1", "disable"}
	for want, list := range map[address][]address{all[0]: all, all[1]: {closed, all[1]}} {
		if dsn, _, err := c.reach(t.Context(), list); err != nil || dsn != c.dsn(want) || !value[bool](t, dsn, tlsInUse) {
			t.Errorf("%+v: %s, %v", list, dsn, err)
		}
	}
	if _, _, err := c.reach(t.Context(), []address{closed}); err == nil {
		t.Error("nobody listens there")
	}
}

// TestContainerEnds has a server that cannot start, and wants its reason at once.
func TestContainerEnds(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	image, err := findImage(t.Context(), client, "")
	if err != nil {
		t.Fatal(err)
	}
	broken := docker.CreateContainerOptions{Context: t.Context(),
		Config: &docker.Config{
			Image:      image,
			Entrypoint: []string{"sh", "-c", entrypoint, "pgdbm"},
			Cmd:        []string{"postgres", "-c", "fsync=nonsense"},
			Env:        []string{"POSTGRES_PASSWORD=x", "PGDATA=/pgdbm/data"},
			OpenStdin:  true, StdinOnce: true, AttachStdout: true, AttachStderr: true},
		HostConfig: &docker.HostConfig{AutoRemove: true, Tmpfs: map[string]string{"/pgdbm": "mode=1777"}}}
	made, err := client.CreateContainer(broken)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{client: client, id: made.ID, gone: make(chan struct{})}
	_, err = c.start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "its container has ended") ||
		!strings.Contains(err.Error(), `"fsync" requires a Boolean value`) {
		t.Errorf("error = %v", err)
	}
	if err := c.remove(); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	dead := filepath.Join(t.TempDir(), "docker.sock")
	for _, test := range []struct {
		name string
		env  []string
		want []string
	}{
		{"no engine", []string{"DOCKER_HOST=unix://" + dead},
			[]string{"PGDBM_TEST_SERVER=docker allows no other source: | \tdocker: no Docker engine answers", dead,
				"install and start Docker, or set DOCKER_HOST"}},
		{"no address", []string{"DOCKER_HOST=nonsense"}, []string{"no Docker engine answers"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, line := helper(t, supervisetest.PublicDir(t, "pgdocker-test-"), "plain", test.env...)
			for _, want := range test.want {
				if !strings.Contains(line, want) {
					t.Errorf("%q is not in the error: %s", want, line)
				}
			}
		})
	}
}

func TestImageMissing(t *testing.T) {
	t.Parallel()
	client := needEngine(t)
	tempDir := supervisetest.PublicDir(t, "pgdocker-test-")
	_, line := helper(t, tempDir, "plain", "PGDBM_TEST_IMAGE=localhost:1/no/such-image:17")
	for _, want := range []string{
		"docker: the Docker engine has no image localhost:1/no/such-image:17 and cannot pull it", "set PGDBM_TEST_IMAGE",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in the error: %s", want, line)
		}
	}
	awaitNothing(t, client, tempDir)
}

func TestNobodyAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if !nobodyAt(dir + "/none") {
		t.Error("somebody listens at a socket that is not there")
	}
	l := listen(t, dir+"/alive")
	defer l.Close()
	if nobodyAt(dir + "/alive") {
		t.Error("nobody listens at a socket where we do")
	}
}

func TestCheckImage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		image, version string
		ok             bool
	}{
		{"", "", true}, {"", "17", true}, {"postgis/postgis", "", true}, {"postgis/postgis:17-3.5", "17", true},
		{"postgres:17.5", "17", true}, {"localhost:17/postgres", "17", false}, {"postgres:170", "17", false},
		{"postgres:latest", "17", false}, {"postgres:16", "17", false},
	} {
		if err := checkImage(test.image, test.version); (err == nil) != test.ok {
			t.Errorf("%s, version %q: %v", test.image, test.version, err)
		}
	}
}

func TestBestTag(t *testing.T) {
	t.Parallel()
	tags := []string{"<none>", "latest", "9.6", "12", "15", "17-alpine", "17", "17.5", "16.2-bookworm", "20240101"}
	for version, want := range map[string]string{"": "17", "16": "16.2-bookworm", "12": "", "14": "", "17": "17"} {
		if got := bestTag(tags, version); got != want {
			t.Errorf("version %q: got %q, want %q", version, got, want)
		}
		slices.Reverse(tags)
		if got := bestTag(tags, version); got != want {
			t.Errorf("version %q, from the end: got %q, want %q", version, got, want)
		}
	}
	if got := bestTag([]string{"<none>", "latest"}, ""); got != "latest" {
		t.Errorf("got %q", got)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string][2]string{
		"unix:///var/run/docker.sock": {"127.0.0.1", "127.0.0.1"},
		"tcp://localhost:2375":        {"127.0.0.1", "127.0.0.1"},
		"tcp://127.0.0.2:2375":        {"127.0.0.1", "127.0.0.1"},
		"tcp://docker:2376":           {"0.0.0.0", "docker"},
		"tcp://[fd00::1]:2376":        {"0.0.0.0", "fd00::1"},
	} {
		if bind, host := publish(endpoint); bind != want[0] || host != want[1] {
			t.Errorf("%s: %s, %s", endpoint, bind, host)
		}
	}
}
