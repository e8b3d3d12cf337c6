package pgbouncer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// configFile returns PgBouncer's configuration, for a socket in dir.
func configFile(server *pgx.ConnConfig, dir string, settings []string) (string, error) {
	lines := []string{
		"[databases]",
		"* = " + serverAddress(server), // any database of the server
		"[pgbouncer]",
		"unix_socket_dir=" + dir, // listen_addr is not set, so there is no TCP
		"listen_port=" + port,
		"pool_mode=transaction",
		"auth_type=any",
		"max_client_conn=500",
		"ignore_startup_parameters=extra_float_digits",
		"server_tls_sslmode=" + tlsMode(server),
	}
	for _, setting := range settings {
		name, _, ok := strings.Cut(setting, "=")
		if !ok || strings.TrimSpace(name) == "" {
			return "", fmt.Errorf("the setting %q is not of the form name=value", setting)
		}
	}
	lines = append(lines, settings...) // of two lines with one name the last counts
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r\x00") {
			return "", errors.New("a setting, a part of the DSN or the name of the temporary directory has a line break or " +
				"a NUL, which PgBouncer's configuration cannot hold")
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// serverAddress returns the right side of a line in the section [databases].
func serverAddress(server *pgx.ConnConfig) string {
	address := "host=" + quote(server.Host) +
		" port=" + strconv.Itoa(int(server.Port)) +
		" user=" + quote(server.User)
	if server.Password != "" {
		address += " password=" + quote(server.Password)
	}
	return address
}

func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}

// tlsMode returns whether PgBouncer may talk to the server without TLS: if the DSN would let pgx do so, now or as a
// second attempt.
func tlsMode(server *pgx.ConnConfig) string {
	if server.TLSConfig == nil {
		return "prefer"
	}
	for _, fallback := range server.Fallbacks {
		if fallback.TLSConfig == nil {
			return "prefer"
		}
	}
	return "require"
}
