package schemadb

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

var (
	_ fmt.Formatter  = Config{}
	_ fmt.GoStringer = Config{}
	_ fmt.Stringer   = Config{}
	_ slog.LogValuer = Config{}
	_ json.Marshaler = Config{}
)

// secretMask stands for a password that is set.
const secretMask = "***"

// attrs is what a Config shows of itself: nothing that could be, or could have been meant to be, a password, and no SQL.
func (c Config) attrs() []slog.Attr {
	var list []slog.Attr
	values := make(map[string]string)
	if err := checkDSN(c.DSN); err != nil {
		list = append(list, slog.String("dsn", "(invalid, not shown)"))
	} else {
		values = dsnValues(c.DSN)
	}
	for _, f := range c.connFields() {
		values[f.key] = f.value
	}
	if c.Schema != "" {
		values[keySchema] = c.Schema
	}
	for _, key := range []string{keyHost, keyPort, keyDatabase, keyUser, keyPassword, keySchema, keySchemaMode, keySSLMode,
		keySSLRootCert, keySSLCert, keySSLKey, keySSLPassword} {
		value := values[key]
		if value != "" && (key == keyPassword || key == keySSLPassword) {
			value = secretMask
		}
		if value != "" {
			list = append(list, slog.String(key, value))
		}
	}
	list = append(list,
		slog.Int("max_open_conns", c.maxOpenConns()),
		slog.Int("min_conns", c.minConns()),
		slog.Int("max_idle_conns", c.maxIdleConns()),
		slog.Duration("conn_max_idle_time", c.connMaxIdleTime()),
		slog.Duration("conn_max_lifetime", max(0, c.ConnMaxLifetime)),
		slog.Int("conn_max_uses", c.connMaxUses()),
		slog.Duration("command_timeout", c.commandTimeout()))
	for _, t := range c.serverTimeouts() {
		list = append(list, slog.Duration(t.setting, choose(t.value, t.usual, 0)))
	}
	if len(c.Settings) > 0 {
		list = append(list, slog.Any("settings", slices.Sorted(maps.Keys(c.Settings))))
	}
	return append(list,
		slog.Int("init_commands", len(c.InitCommands)),
		slog.Int("prepare", len(c.Prepare)),
		slog.Int("retry_attempts", c.retryAttempts()))
}

// String describes the Config for logs: where it connects to, as far as fields and DSN say it, and the limits with
// their defaults, 0 for none. Passwords are ***, and of Settings, InitCommands and Prepare no values are shown.
func (c Config) String() string {
	var b strings.Builder
	b.WriteString("schemadb.Config{")
	for i, attr := range c.attrs() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%v", attr.Key, attr.Value)
	}
	b.WriteByte('}')
	return b.String()
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// Format writes String, whatever the verb: without it, %d would show the passwords.
func (c Config) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, c.String()) // there is nobody to tell
}

// LogValue is what package log/slog shows: String as a group.
func (c Config) LogValue() slog.Value { return slog.GroupValue(c.attrs()...) }

// MarshalJSON writes String: a log that encodes what holds a Config shows no password either. Nothing reads it back.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
