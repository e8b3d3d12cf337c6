package schemadb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

// authority is a certificate authority.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	a.pem = a.sign(t, a.cert, key.Public())
	return a
}

func (a *authority) sign(t testing.TB, cert *x509.Certificate, public any) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// leaf returns a certificate for name and the addresses, and its key.
func (a *authority) leaf(t testing.TB, name string, public any, addresses ...net.IP) []byte {
	t.Helper()
	return a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature, NotAfter: time.Now().Add(time.Hour)}, public)
}

// keyBlock returns a key in the form of type RSA PRIVATE KEY or EC PRIVATE KEY.
func keyBlock(t testing.TB, key any) *pem.Block {
	t.Helper()
	if key, ok := key.(*rsa.PrivateKey); ok {
		return &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	}
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}
}

// encrypted encrypts a key as openssl's -traditional does.
func encrypted(t testing.TB, block *pem.Block, password string) []byte {
	t.Helper()
	block, err := x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, []byte(password), x509.PEMCipherAES256) //nolint:staticcheck // it is what pgx decrypts
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// tlsServer is a PostgreSQL that takes connections with TLS only.
type tlsServer struct {
	ca   *authority
	port int
}

// config connects to the server.
func (s *tlsServer) config(user string) schemadb.Config {
	return schemadb.Config{Host: "127.0.0.1", Port: s.port, User: user, Database: "postgres", MinConns: -1, RetryDelay: -1}
}

// newTLSServer starts a server beside this package's own, which listens on a Unix socket only, where PostgreSQL has no
// TLS. It is started by that server, so it runs as the same user, and its files go with the other's: should the test be
// killed, it notices within a minute that they are gone, and ends.
func newTLSServer(t testing.TB) *tlsServer {
	t.Helper()
	if os.Getenv("PGDBM_TEST_DSN") != "" {
		t.Skip("PGDBM_TEST_DSN names a server of the user's, on which this test starts no other")
	}
	dsn, err := server.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	s := &tlsServer{ca: newAuthority(t)}
	var bin, data string
	if err := conn.QueryRow(t.Context(), "SELECT setting FROM pg_config WHERE name = 'BINDIR'").Scan(&bin); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, conn: conn, dir: filepath.Join(filepath.Dir(data), "tls-"+rand.Text())}
	m.run("%s/initdb -D %s/data -U postgres -A trust -E UTF8 --no-locale --no-sync >%[2]s.log 2>&1", bin, m.dir)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m.write("ca.pem", s.ca.pem)
	m.write("server.pem", s.ca.leaf(t, "server", key.Public(), net.IPv4(127, 0, 0, 1)))
	m.write("server.key", pem.EncodeToMemory(keyBlock(t, key)))
	m.write("pg_hba.conf", []byte("hostssl all withcert 127.0.0.1/32 cert\n"+
		"hostssl all withpassword 127.0.0.1/32 scram-sha-256\nhostssl all postgres 127.0.0.1/32 trust\n"))
	for try := 1; s.port == 0; try++ {
		port := freePort(t)
		_, err := m.try("%s/pg_ctl start -w -D %s/data -l %[2]s.log -o '-p %[3]d -c listen_addresses=127.0.0.1 "+
			"-c unix_socket_directories= -c fsync=off -c dynamic_shared_memory_type=mmap -c shared_buffers=16MB "+
			"-c ssl=on -c ssl_ca_file=%[2]s/data/ca.pem -c ssl_cert_file=%[2]s/data/server.pem "+
			"-c ssl_key_file=%[2]s/data/server.key' >>%[2]s.log 2>&1", bin, m.dir, port)
		if err == nil {
			s.port = port
		} else if try == 5 { // else somebody may have taken the port meanwhile
			m.fail(err)
		}
	}
	t.Cleanup(func() { m.run("%s/pg_ctl stop -m immediate -D %s/data >>%[2]s.log 2>&1", bin, m.dir) })
	admin(t, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=require", s.port),
		"CREATE ROLE withcert LOGIN", "CREATE ROLE withpassword LOGIN PASSWORD 'p&schema=ö '' \"'")
	return s
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// machine runs commands as the user of a server.
type machine struct {
	t    testing.TB
	conn *pgx.Conn
	dir  string // of the new server, whose output is in the file of this name with .log
}

// try runs a command of the shell, whose input is the text.
func (m *machine) try(format string, args ...any) (pgconn.CommandTag, error) {
	return m.pipe("", fmt.Sprintf(format, args...))
}

func (m *machine) pipe(text, command string) (pgconn.CommandTag, error) {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	return m.conn.Exec(context.WithoutCancel(m.t.Context()), "COPY (SELECT unnest(string_to_array("+quote(text)+", E'\\n'))) TO PROGRAM "+quote("umask 077; "+command))
}

func (m *machine) run(format string, args ...any) {
	m.t.Helper()
	if _, err := m.try(format, args...); err != nil {
		m.fail(err)
	}
}

// write writes a file of the new server that nobody else can read.
func (m *machine) write(name string, text []byte) {
	m.t.Helper()
	if _, err := m.pipe(strings.TrimSuffix(string(text), "\n"), "cat >"+m.dir+"/data/"+name); err != nil {
		m.fail(err)
	}
}

func (m *machine) fail(err error) {
	m.t.Helper()
	var output string
	_ = m.conn.QueryRow(m.t.Context(), "SELECT pg_read_file($1)", m.dir+".log").Scan(&output)
	m.t.Fatalf("%v\n%s", err, output)
}

// writeFile writes a file of the test's and returns its path.
func writeFile(t testing.TB, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := newTLSServer(t)
	ca := writeFile(t, "ca.pem", s.ca.pem)
	otherCA := writeFile(t, "other.pem", newAuthority(t).pem)
	const inUse = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
	t.Run("modes", func(t *testing.T) {
		for _, test := range []struct{ mode, root, host string }{
			{"", "", "127.0.0.1"}, {"allow", "", "127.0.0.1"}, {"prefer", "", "127.0.0.1"}, {"require", "", "127.0.0.1"},
			{"require", ca, "localhost"}, {"verify-ca", ca, "localhost"}, {"verify-full", ca, "127.0.0.1"},
		} {
			c := s.config("postgres")
			c.SSLMode, c.SSLRootCert, c.Host = test.mode, test.root, test.host
			if got := queryText(t, mustOpenPool(t, c), inUse); got != "true" {
				t.Errorf("%v: ssl is %s", test, got)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, test := range []struct{ mode, root, host, state, text string }{
			{"disable", "", "127.0.0.1", "28000", "no encryption"},
			{"verify-full", ca, "localhost", "", "certificate"},
			{"verify-full", otherCA, "127.0.0.1", "", "unknown authority"},
			{"verify-ca", otherCA, "127.0.0.1", "", "unknown authority"},
			{"require", otherCA, "127.0.0.1", "", "unknown authority"},
		} {
			c := s.config("postgres")
			c.SSLMode, c.SSLRootCert, c.Host = test.mode, test.root, test.host
			err := failOpenPool(t, c)
			wantOpenError(t, err, 1, test.state)
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v: got %v", test, err)
			}
		}
	})
	t.Run("password", func(t *testing.T) {
		c := s.config("withpassword")
		c.Password = `p&schema=ö ' "`
		if got := queryText(t, mustOpenPool(t, c), "SELECT current_user::text"); got != "withpassword" {
			t.Errorf("logged in as %s", got)
		}
		c.Password = "mistaken"
		err := failOpenPool(t, c)
		wantOpenError(t, err, 1, "28P01")
		if strings.Contains(err.Error(), "mistaken") {
			t.Errorf("the error shows the password: %v", err)
		}
	})
	t.Run("password of BeforeConnect", func(t *testing.T) { testRotatedPassword(t, s) })
	t.Run("client certificates", func(t *testing.T) { testClientCertificates(t, s, ca) })
}

// testRotatedPassword changes a role's password while a pool is open.
func testRotatedPassword(t *testing.T, s *tlsServer) {
	var password atomic.Value
	password.Store("first")
	c := s.config("withpassword")
	c.Password = "out of date"
	c.BeforeConnect = func(_ context.Context, config *pgx.ConnConfig) error {
		config.Password = password.Load().(string)
		return nil
	}
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=require", s.port)
	admin(t, dsn, "ALTER ROLE withpassword PASSWORD 'first'")
	pool := mustOpenPool(t, c)
	held, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	admin(t, dsn, "ALTER ROLE withpassword PASSWORD 'second'")
	var server *pgconn.PgError
	if _, err := pool.ExecContext(t.Context(), "SELECT 1"); !errors.As(err, &server) || server.Code != "28P01" {
		t.Errorf("with the first password: %v", err)
	}
	password.Store("second")
	if _, err := pool.ExecContext(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("with the second password: %v", err)
	}
}

func testClientCertificates(t *testing.T, s *tlsServer, ca string) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert := writeFile(t, "rsa.pem", s.ca.leaf(t, "withcert", rsaKey.Public()))
	ecCert := writeFile(t, "ec.pem", s.ca.leaf(t, "withcert", ecKey.Public()))
	foreign := writeFile(t, "foreign.pem", newAuthority(t).leaf(t, "withcert", ecKey.Public()))
	ecPlain := writeFile(t, "ec.key", pem.EncodeToMemory(keyBlock(t, ecKey)))
	base := s.config("withcert")
	base.SSLMode, base.SSLRootCert = "verify-full", ca
	for name, set := range map[string]func(*schemadb.Config){
		"EC": func(c *schemadb.Config) { c.SSLCert, c.SSLKey = ecCert, ecPlain },
		"EC, encrypted": func(c *schemadb.Config) {
			c.SSLCert, c.SSLKey = ecCert, writeFile(t, "k", encrypted(t, keyBlock(t, ecKey), "hidden"))
		},
		"RSA, encrypted": func(c *schemadb.Config) {
			c.SSLCert, c.SSLKey = rsaCert, writeFile(t, "k", encrypted(t, keyBlock(t, rsaKey), "hidden"))
		},
		"key in the DSN": func(c *schemadb.Config) {
			c.DSN = "sslkey=" + writeFile(t, "k", encrypted(t, keyBlock(t, ecKey), "hidden")) + " sslcert=" + ecCert
		},
		"certificate in the DSN": func(c *schemadb.Config) { c.DSN, c.SSLKey = "postgres://?sslcert="+ecCert, ecPlain },
	} {
		c := base
		set(&c)
		c.SSLKeyPassword = "hidden"
		if got := queryText(t, mustOpenPool(t, c), "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != "/CN=withcert" {
			t.Errorf("%s: logged in with %s", name, got)
		}
	}
	wantOpenError(t, failOpenPool(t, base), 1, "28000")
	c := base
	c.SSLCert, c.SSLKey, c.RetryAttempts = foreign, ecPlain, 1 // the server's alert may get lost in the reset of the connection
	wantOpenError(t, failOpenPool(t, c), 1, "")
}

func TestTLSFilesAreExplained(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := writeFile(t, "cert.pem", a.leaf(t, "c", key.Public()))
	plain := writeFile(t, "plain.key", pem.EncodeToMemory(keyBlock(t, key)))
	locked := writeFile(t, "locked.key", encrypted(t, keyBlock(t, key), "right"))
	pkcs8 := writeFile(t, "pkcs8.key", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))
	text := writeFile(t, "text", []byte("nothing"))
	root := writeFile(t, "root.pem", a.pem)
	for _, test := range []struct {
		config schemadb.Config
		field  string
		text   string
	}{
		{schemadb.Config{SSLRootCert: "/none/root"}, "SSLRootCert", "open /none/root"},
		{schemadb.Config{SSLRootCert: text}, "SSLRootCert", "holds no certificate"},
		{schemadb.Config{SSLRootCert: root}, "SSLRootCert", "set SSLMode to verify-full"},
		{schemadb.Config{SSLRootCert: root, SSLMode: "prefer"}, "SSLRootCert", "no certificate is checked"},
		{schemadb.Config{SSLRootCert: root, SSLMode: "disable"}, "SSLRootCert", "no certificate is checked"},
		{schemadb.Config{SSLCert: cert}, "SSLKey", "missing"},
		{schemadb.Config{SSLKey: plain}, "SSLCert", "missing"},
		{schemadb.Config{SSLCert: "/none/cert", SSLKey: plain}, "SSLCert", "open /none/cert"},
		{schemadb.Config{SSLCert: cert, SSLKey: "/none/key"}, "SSLKey", "open /none/key"},
		{schemadb.Config{SSLCert: cert, SSLKey: text}, "SSLKey", "holds no key"},
		{schemadb.Config{SSLCert: root, SSLKey: plain}, "SSLCert", "private key does not match"},
		{schemadb.Config{SSLCert: cert, SSLKey: pkcs8, SSLKeyPassword: "right"}, "SSLKey", "openssl rsa -aes256 -traditional"},
		{schemadb.Config{SSLCert: cert, SSLKey: locked}, "SSLKeyPassword", "missing"},
		{schemadb.Config{SSLCert: cert, SSLKey: locked, SSLKeyPassword: "mistaken"}, "SSLKeyPassword", "does not decrypt"},
	} {
		test.config.Host = "127.0.0.1"
		err := test.config.Validate()
		wantConfigError(t, err, test.field, test.text)
		if err != nil && (strings.Contains(err.Error(), "right") || strings.Contains(err.Error(), "mistaken")) {
			t.Errorf("the error shows the password: %v", err)
		}
		test.config.Host = t.TempDir()
		if err := test.config.Validate(); err != nil {
			t.Errorf("a Unix socket has no TLS: %v", err)
		}
	}
	for _, c := range []schemadb.Config{{SSLRootCert: root, SSLMode: "require"}, {SSLRootCert: root, DSN: "host=h sslmode=verify-ca"},
		{SSLRootCert: "system", Host: "h"}, {SSLCert: cert, SSLKey: locked, SSLKeyPassword: "right", Host: "h"}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}
