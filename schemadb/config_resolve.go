package schemadb

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/dsnform"
	"github.com/pgdbm/pgdbm/internal/template"
)

// resolved is a Config whose fields and DSN have become one.
type resolved struct {
	dsn     string          // all of it, with the server settings
	config  *pgx.ConnConfig // what pgx makes of dsn and the environment now; the driver reads dsn again at each connect
	init    []string        // InitCommands, expanded
	prepare []string        // Prepare, expanded
}

// Validate reports all that is wrong with the Config, joined, as far as it shows without connecting: it reads the DSN,
// the PG* variables and the files that they name. The errors are *[ConfigError]; those of DSN and Schema wrap a
// *driver.DSNError or *driver.SchemaError, those of templates a *driver.TemplateError.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}

func (c Config) resolve() (resolved, error) {
	var p problems
	c.checkNumbers(&p)
	var r resolved
	if err := checkDSN(c.DSN); err != nil {
		p.wrap("DSN", err)
		return r, p.err() // it cannot be compared with the fields
	}
	values := dsnValues(c.DSN)
	schemaProblems := len(p)
	c.checkSchema(&p, values)
	if len(p) == schemaProblems {
		r.init = c.expand(&p, "InitCommands", c.InitCommands, values)
		r.prepare = c.expand(&p, "Prepare", c.Prepare, values)
	}
	r.dsn = c.mergeFields(&p, values)
	c.checkSettings(&p, values)
	if len(p) > 0 {
		return r, p.err()
	}
	config, err := parse(r.dsn)
	if err != nil {
		if explainTLS(&p, values); len(p) == 0 {
			p.wrap("DSN", err)
		}
		return r, p.err()
	}
	r.dsn = withKeys(r.dsn, c.settings(&p, config, values))
	if r.config, err = parse(r.dsn); err != nil {
		p.wrap("DSN", err)
		return r, p.err()
	}
	c.checkVerification(&p, r.config)
	return r, p.err()
}

// parse is pgx.ParseConfig with the driver's errors, which show no part of a password.
func parse(dsn string) (*pgx.ConnConfig, error) {
	if _, err := driver.NewConnector(dsn); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil { // a file has changed just now
		return nil, &driver.DSNError{Reason: "it cannot be parsed"}
	}
	return config, nil
}

// checkDSN checks a DSN on its own.
func checkDSN(dsn string) error {
	if !dsnform.IsURL(dsn) && strings.TrimSpace(dsn) != "" && !strings.Contains(dsn, "=") {
		return &driver.DSNError{Reason: "it is neither a URL nor a list of keywords; a name from RegisterConnConfig takes " +
			"no settings: open it with sql.Open and share that pool with schemadb.New"}
	}
	_, err := driver.NewConnector(dsn)
	values := dsnValues(dsn)
	if _, given := values[keySSLCertMode]; err == nil || given || values[keySSLCert] == "" && values[keySSLKey] == "" {
		return err
	}
	// The fields may have what the DSN's client certificate lacks, so this is about all but that.
	without := keySSLCertMode + "=disable " + dsn
	if dsnform.IsURL(dsn) {
		without = withKeys(dsn, map[string]string{keySSLCertMode: "disable"})
	}
	_, err = driver.NewConnector(without)
	return err
}

func (c Config) checkSchema(p *problems, values map[string]string) {
	if c.Schema == "" {
		return
	}
	if err := template.CheckSchema(c.Schema); err != nil {
		p.wrap("Schema", err)
		return
	}
	if inDSN, ok := values[keySchema]; ok && inDSN != c.Schema {
		p.add("Schema", "it is %q, but the schema of the DSN is %q; name it once, or the same", c.Schema, inDSN)
	}
}

// mergeFields returns the DSN with the fields that it has no keys for, and puts them into values.
func (c Config) mergeFields(p *problems, values map[string]string) string {
	added := make(map[string]string)
	for _, f := range c.connFields() {
		inDSN, ok := values[f.key]
		switch {
		case strings.ContainsRune(f.value, 0):
			p.add(f.name, "it contains a NUL byte")
		case !ok:
			added[f.key], values[f.key] = f.value, f.value
		case inDSN == f.value:
		case f.secret:
			p.add(f.name, "it differs from the %s of the DSN; give it once", f.key)
		default:
			p.add(f.name, "it is %q, but the %s of the DSN is %q; give it once", f.value, f.key, inDSN)
		}
	}
	return withKeys(c.DSN, added)
}

// expand expands the templates of statements for the schema, as the driver will do with the same text.
func (c Config) expand(p *problems, field string, statements []string, values map[string]string) []string {
	syntax := template.Both
	if values[keyTemplates] == "braces" {
		syntax = template.Braces
	}
	var list []string
	for i, statement := range statements {
		name := indexed(field, i)
		if strings.TrimSpace(statement) == "" {
			p.add(name, "it is empty")
			continue
		}
		parsed, err := template.Parse(statement, syntax)
		if err != nil {
			p.wrap(name, err)
			continue
		}
		sql, err := parsed.Expand(c.schema())
		if err != nil {
			p.wrap(name, err)
			continue
		}
		list = append(list, sql)
	}
	return list
}
