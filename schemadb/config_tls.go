package schemadb

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// explainTLS finds what is wrong with the files of TLS. Pgx has found something too, but its reasons are not shown,
// because they may hold values.
func explainTLS(p *problems, values map[string]string) {
	if file := values[keySSLRootCert]; file != "" && file != "system" {
		text, err := os.ReadFile(file)
		if err != nil {
			p.wrap("SSLRootCert", err)
		} else if !x509.NewCertPool().AppendCertsFromPEM(text) {
			p.add("SSLRootCert", "%s holds no certificate in PEM", file)
		}
	}
	cert := cmp.Or(values[keySSLCert], os.Getenv("PGSSLCERT"))
	key := cmp.Or(values[keySSLKey], os.Getenv("PGSSLKEY"))
	switch {
	case cert == "" && key != "":
		p.add("SSLCert", "it is missing: the key in SSLKey needs its certificate")
	case cert != "" && key == "":
		p.add("SSLKey", "it is missing: the certificate in SSLCert needs its key")
	case cert != "":
		explainKey(p, cert, key, cmp.Or(values[keySSLPassword], os.Getenv("PGSSLPASSWORD")))
	}
}

// explainKey finds what is wrong with the client's certificate, its key and the key's password.
func explainKey(p *problems, certFile, keyFile, password string) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		p.wrap("SSLCert", err)
		return
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		p.wrap("SSLKey", err)
		return
	}
	block, _ := pem.Decode(key)
	switch {
	case block == nil:
		p.add("SSLKey", "%s holds no key in PEM", keyFile)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		p.add("SSLKey", "%s is encrypted in the form of PKCS#8, which pgx cannot read; convert it with "+
			"openssl rsa -aes256 -traditional, or openssl ec -aes256 for a key of elliptic curves", keyFile)
	case !x509.IsEncryptedPEMBlock(block): //nolint:staticcheck // it is what pgx does
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			p.wrap("SSLCert", err)
		}
	case password == "":
		p.add("SSLKeyPassword", "it is missing: the key in %s is encrypted", keyFile)
	default:
		p.add("SSLKeyPassword", "it does not decrypt the key in %s, or that key is not the one of SSLCert", keyFile)
	}
}

// checkVerification refuses a root certificate that no server would be checked against. Libpq and pgx ignore it then.
func (c Config) checkVerification(p *problems, config *pgx.ConnConfig) {
	if c.SSLRootCert == "" {
		return
	}
	hosts := []*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}
	for _, host := range append(hosts, config.Fallbacks...) {
		network, _ := pgconn.NetworkAddress(host.Host, host.Port)
		if network != "unix" && !verifies(host.TLSConfig) {
			p.add("SSLRootCert", "no certificate is checked in this SSLMode; set SSLMode to verify-full, or to verify-ca "+
				"if the certificate does not name the host")
			return
		}
	}
}

func verifies(config *tls.Config) bool {
	return config != nil && (!config.InsecureSkipVerify || config.VerifyPeerCertificate != nil)
}
