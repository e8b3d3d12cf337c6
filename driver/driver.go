package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/internal/stmtcache"
)

// Name is the name under which the driver is registered with database/sql.
const Name = "pgdbm"

// registered is what database/sql knows as "pgdbm".
var registered = &Driver{configs: make(map[string]*pgx.ConnConfig)}

func init() {
	sql.Register(Name, registered)
	sqlx.BindDriver(Name, sqlx.DOLLAR) // sqlx rewrites ? and :name for drivers that it knows only
}

// Driver is the database/sql driver. [sql.Open] finds it under its name, and (*sql.DB).Driver returns it. The zero Driver is as good,
// for libraries that put a driver of their own around one: sqlhooks.Wrap(&driver.Driver{}, hooks). It is safe for concurrent use.
type Driver struct {
	mu       sync.Mutex
	configs  map[string]*pgx.ConnConfig // by the names of RegisterConnConfig
	sequence int

	databases stmtcache.Databases // what was learned about each
}

var (
	_ sqldriver.Driver        = (*Driver)(nil)
	_ sqldriver.DriverContext = (*Driver)(nil)
)

// Open connects to the database that dsn names, with a limit of one minute. database/sql calls OpenConnector instead.
func (d *Driver) Open(dsn string) (sqldriver.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connector, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// OpenConnector returns a *[Connector] for a DSN, or for a name from [RegisterConnConfig] or stdlib.RegisterConnConfig.
// A DSN that is wrong is an error here, and so of [sql.Open].
func (*Driver) OpenConnector(dsn string) (sqldriver.Connector, error) {
	return registered.connector(dsn, nil)
}

func (d *Driver) connector(dsn string, opts []Option) (*Connector, error) {
	var o options
	if err := o.apply(opts); err != nil {
		return nil, err
	}
	d.mu.Lock()
	config := d.configs[dsn]
	d.mu.Unlock()
	switch {
	case config != nil:
		return configConnector(config, &o)
	case strings.HasPrefix(dsn, configPrefix):
		return nil, &DSNError{Reason: "no configuration is registered under this name; was UnregisterConnConfig called?"}
	case isRegisteredName(dsn):
		return stdlibConnector(dsn, &o)
	}
	return dsnConnector(dsn, &o)
}

const (
	configPrefix       = "pgdbm-config-"        // of our RegisterConnConfig
	stdlibConfigPrefix = "registeredConnConfig" // of stdlib's
)

// isRegisteredName reports whether dsn is no DSN but a name from one of the two RegisterConnConfig.
func isRegisteredName(dsn string) bool {
	return (strings.HasPrefix(dsn, configPrefix) || strings.HasPrefix(dsn, stdlibConfigPrefix)) &&
		!strings.ContainsAny(dsn, "= ")
}

// RegisterConnConfig registers a copy of config, which pgx.ParseConfig has made, and returns a name that [sql.Open]
// takes in place of a DSN. The keys of this driver are read from config.RuntimeParams, where pgx.ParseConfig puts
// them. If they are wrong, sql.Open says so.
//
// A configuration that was registered with stdlib.RegisterConnConfig works too, without our keys: in template mode,
// with the schema from the context.
func RegisterConnConfig(config *pgx.ConnConfig) string {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	registered.sequence++
	name := fmt.Sprint(configPrefix, registered.sequence)
	registered.configs[name] = config.Copy()
	return name
}

// UnregisterConnConfig forgets what was registered under name. Databases that are open already stay open.
func UnregisterConnConfig(name string) {
	registered.mu.Lock()
	defer registered.mu.Unlock()
	delete(registered.configs, name)
}
