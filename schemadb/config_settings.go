package schemadb

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverTimeout is a field of Config that is a setting of the server.
type serverTimeout struct {
	field, setting string
	value, usual   time.Duration
}

func (c Config) serverTimeouts() []serverTimeout {
	return []serverTimeout{
		{"StatementTimeout", "statement_timeout", c.StatementTimeout, 60 * time.Second},
		{"LockTimeout", "lock_timeout", c.LockTimeout, 5 * time.Second},
		{"IdleInTransactionTimeout", "idle_in_transaction_session_timeout", c.IdleInTransactionTimeout, 60 * time.Second},
	}
}

// notSettings are the keys of a DSN that pgx and the driver keep for themselves, and those of the startup packet.
var notSettings = []string{
	"host", "port", "dbname", "database", "user", "password", "passfile", "service", "servicefile", "connect_timeout",
	"ssl", "sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslnegotiation", "sslpassword", "sslsni",
	"krbspn", "krbsrvname", "target_session_attrs", "min_protocol_version", "max_protocol_version", "channel_binding",
	"require_auth", "default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	"schema", "schema_mode", "schema_required", "templates", "replication",
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$`)

// checkSettings checks the names of Settings, and that no name comes twice: the server ignores case. What the DSN says
// is in values.
func (c Config) checkSettings(p *problems, values map[string]string) {
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		field, lower := settingField(name), strings.ToLower(name)
		switch {
		case !settingName.MatchString(name):
			p.add(field, "it is not the name of a server setting")
		case slices.Contains(notSettings, lower):
			p.add(field, "it is not a server setting; use the field of Config for it, or the DSN")
		case seen[lower]:
			p.add(field, "it is given twice, in different case")
		case strings.ContainsRune(c.Settings[name], 0):
			p.add(field, "its value contains a NUL byte")
		}
		if inDSN, ok := find(values, name); ok && inDSN != c.Settings[name] {
			p.add(field, "the DSN sets it to another value; set it once")
		}
		seen[lower] = true
	}
}

func settingField(name string) string { return "Settings[" + strconv.Quote(name) + "]" }

// settings returns the server settings that the DSN lacks: those of Settings, of the fields, and the defaults of those
// that nobody sets. Config is what the DSN and the environment say, values what the DSN does.
func (c Config) settings(p *problems, config *pgx.ConnConfig, values map[string]string) map[string]string {
	added := make(map[string]string)
	for name, value := range c.Settings {
		if _, ok := find(values, name); !ok {
			added[name] = value
		}
	}
	for _, t := range c.serverTimeouts() {
		where, text := c.whereSet(t.setting, values)
		switch {
		case where != "" && t.value != 0 && !sameTimeout(text, t.value):
			p.add(t.field, "%s sets %s too, to another value; set it once", where, t.setting)
		case where != "":
		case t.value > 0:
			added[t.setting] = milliseconds(t.value)
		case t.value == 0 && !isSet(config, t.setting):
			added[t.setting] = milliseconds(t.usual)
		}
	}
	return added
}

// whereSet returns where a server setting is set besides its field, and to what.
func (c Config) whereSet(name string, values map[string]string) (where, value string) {
	if value, ok := find(c.Settings, name); ok {
		return "Settings", value
	}
	if value, ok := find(values, name); ok {
		return "the DSN", value
	}
	if inOptions(values[keyOptions], name) {
		return "the DSN's key options", ""
	}
	return "", ""
}

// isSet reports whether the DSN, PGOPTIONS or a service file set a server setting.
func isSet(config *pgx.ConnConfig, name string) bool {
	_, ok := find(config.RuntimeParams, name)
	return ok || inOptions(config.RuntimeParams[keyOptions], name)
}

// find looks a server setting up, whose name is the same in any case.
func find(settings map[string]string, name string) (string, bool) {
	for key, value := range settings {
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

// inOptions reports whether the command line options of a session, as in PGOPTIONS, set name: -c name=x, -cname=x or
// --name=x. What is in the startup packet besides them wins over them.
func inOptions(options, name string) bool {
	pattern := strings.ReplaceAll(name, "_", "[-_]")
	found, err := regexp.MatchString(`(?i)(^|\s|-c|--)`+pattern+`\s*=`, options)
	return found && err == nil
}

// milliseconds is a timeout as the server takes it, rounded up: 0 would switch it off.
func milliseconds(d time.Duration) string {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return strconv.FormatInt(ms, 10)
}

// sameTimeout reports whether a timeout's text, such as 5000 or 5s, means d.
func sameTimeout(text string, d time.Duration) bool {
	if ms, err := strconv.ParseInt(text, 10, 32); err == nil {
		return strconv.FormatInt(ms, 10) == milliseconds(d)
	}
	parsed, err := time.ParseDuration(strings.TrimSpace(text))
	return err == nil && parsed == d
}
