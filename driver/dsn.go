package driver

import (
	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/template"
)

// AddSchema returns connString, a URL or a list of keywords, with the key schema set to name, whatever it was before. The error is a
// *[SchemaError] if name cannot be used as a schema, and a *[DSNError] if connString is a name from RegisterConnConfig, which has no keys.
func AddSchema(connString, name string) (string, error) {
	if err := template.CheckSchema(name); err != nil {
		return "", err
	}
	if isRegisteredName(connString) {
		return "", &DSNError{Key: dsn.KeySchema, Reason: "a registered name takes no keys; " +
			`set config.RuntimeParams["schema"] before driver.RegisterConnConfig`}
	}
	return dsn.Add(connString, name), nil
}
