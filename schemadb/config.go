package schemadb

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says how Open connects and what its pool may take of the server. The zero value works wherever psql without
// arguments does: what is empty here and in the DSN comes from the PG* variables of libpq (PGHOST, PGPASSWORD, PGSERVICE
// ...) and its password file, and then from pgx's defaults.
//
// In every number and duration, zero means the default, and a negative value switches off what can be switched off.
// [Config.Validate] finds what is wrong without connecting. A Config prints, logs and encodes itself without its
// passwords; only in somebody's unexported field, where Go calls no methods, can fmt show them.
type Config struct {
	// DSN is the connection string, a URL or a list of keywords, with the keys that package driver adds (schema,
	// schema_mode ...). The fields below may say what it leaves open; a field that says something else than the DSN is an
	// error. Empty means that the fields say it all.
	DSN string

	// Host is a name, an address, or the directory of a Unix socket; several are separated by commas and tried in turn.
	Host string

	// Port is the port at all hosts, from 1 to 65535. Zero means PGPORT, or else 5432.
	Port int

	// Database is the name of the database. Empty means PGDATABASE, or else the user's name.
	Database string

	// User is the role to log in as. Empty means PGUSER, or else the user of the operating system.
	User string

	// Password is the role's password. Empty means PGPASSWORD or the password file.
	Password string

	// Schema is the schema in which the DB runs. It is bound statement by statement, so that other schemas can use the
	// pool too; a schema in the DSN, which may switch on schema_mode=search_path, must have the same name. Empty means the
	// DSN's, or none. A name that cannot be one is a *driver.SchemaError.
	Schema string

	// MaxOpenConns bounds the connections that are open at a time. Zero means 20, negative no limit. The sum over all
	// pools of all processes must stay below the server's max_connections.
	MaxOpenConns int

	// MinConns is the number of connections that Open opens at once, so that the first requests need not wait, and a
	// server that has no room for them is noticed at the start. It is no floor later on: idle connections are closed after
	// ConnMaxIdleTime. Zero means 10, or less if MaxOpenConns or MaxIdleConns is less. Negative means that Open opens one,
	// to see that it can.
	MinConns int

	// MaxIdleConns bounds the connections that are kept while nobody uses them. Zero means as many as MaxOpenConns, or 20
	// where that has no limit; negative means none.
	MaxIdleConns int

	// ConnMaxIdleTime is the time after which a connection that nobody uses is closed. Zero means 5 minutes, negative
	// never.
	ConnMaxIdleTime time.Duration

	// ConnMaxLifetime is the age at which a connection is closed when it is not in use. Zero and negative mean that age
	// does not matter. Set it where a load balancer or a failover has to move connections.
	ConnMaxLifetime time.Duration

	// ConnMaxUses is how often a connection is borrowed before it is closed and replaced, which bounds what a session
	// gathers in the server's memory. It counts borrows, not statements: a transaction is one, and so is a query outside
	// of one. While callers queue for connections none is replaced. Zero means 50000, negative no limit.
	ConnMaxUses int

	// CommandTimeout bounds a call that executes one statement and is finished when it returns (Exec, Get, Select, One,
	// Collect, Value, InsertID and their like), on the client's side, whatever the server does. An earlier deadline of the
	// caller's context counts. It does not bound what returns rows, and ExecMany, CopyFrom, Each and InTx, which may take long.
	// Zero means 60 seconds, negative no limit.
	CommandTimeout time.Duration

	// StatementTimeout is the server's statement_timeout: longer statements fail with SQLSTATE 57014. Zero means 60
	// seconds, unless Settings, the DSN, PGOPTIONS or a service file say something. Negative means that it is not sent, and
	// the server's own default holds. It is rounded up to a millisecond. A pooler that knows no such startup parameter,
	// such as PgBouncer without ignore_startup_parameters, needs a negative value here and in the two fields below.
	StatementTimeout time.Duration

	// LockTimeout is the server's lock_timeout: statements that wait longer for a lock fail with SQLSTATE 55P03. Zero
	// means 5 seconds; the rest is as with StatementTimeout.
	LockTimeout time.Duration

	// IdleInTransactionTimeout is the server's idle_in_transaction_session_timeout: it cuts the connection of a transaction
	// that does nothing for longer. Zero means 60 seconds; the rest is as with StatementTimeout.
	IdleInTransactionTimeout time.Duration

	// Settings are server settings with which each session starts, such as application_name, timezone or jit. They win
	// over the PG* variables. What a field or the DSN sets to another value, and keys that are not the server's, are
	// errors.
	Settings map[string]string

	// InitCommands are run in this order on each new connection before anything else. Templates in them are expanded for
	// Schema. If one fails, so does connecting, with a *[ConfigError] that names it and shows its SQL.
	InitCommands []string

	// Prepare are statements that are prepared on each new connection, after InitCommands, with their templates expanded
	// for Schema. Executing the same text in that schema finds them. One that names a table, schema, type or function that
	// does not exist is left out on that connection, because migrations may yet create it, and works like any other
	// statement. Any other error fails connecting, with a *[ConfigError]. Name columns instead of writing SELECT *: when the
	// columns of the result change, a prepared statement fails until its connection is replaced. They do not work behind a
	// pooler in transaction mode.
	Prepare []string

	// BeforeConnect is called before each connection is opened, as pgxpool's, with a copy of what pgx has made of the fields,
	// the DSN and the environment. It may change that: set a Tracer or a DialFunc, or a password that changes with time. An
	// error fails connecting, wrapped in a *[ConfigError]; Open tries again where the error is a network's. The context may
	// be the pool's own instead of a caller's. It is called from many goroutines at once. Nil means nothing.
	//
	// Tracers see statements as they are sent, after templates are expanded, InitCommands and Prepare too; their contexts have
	// the values of the callers'. With one, ExecMany sends pgx's batches, which it can see, instead of its own.
	BeforeConnect func(ctx context.Context, config *pgx.ConnConfig) error

	// SSLMode is one of disable, allow, prefer, require, verify-ca, verify-full, with libpq's meaning: only the last two
	// know whom they talk to, or require together with SSLRootCert. Empty means the DSN's, PGSSLMODE, or prefer. As with
	// libpq, Unix sockets have no TLS, whatever is set here.
	SSLMode string

	// SSLRootCert is the file with the certificates (PEM) of the authorities that the server's certificate must come from,
	// or "system". It is an error with a mode that does not check the certificate. Empty means the DSN's, PGSSLROOTCERT, or
	// ~/.postgresql/root.crt if there is one.
	SSLRootCert string

	// SSLCert is the file with the client's certificate (PEM). It needs SSLKey. Empty means the DSN's, PGSSLCERT, or
	// ~/.postgresql/postgresql.crt if there are it and its key.
	SSLCert string

	// SSLKey is the file with the key (PEM) of SSLCert. Empty means the DSN's, PGSSLKEY, or
	// ~/.postgresql/postgresql.key if there are it and its certificate.
	SSLKey string

	// SSLKeyPassword decrypts SSLKey. pgx can do so for keys that are encrypted in PEM's own way, with a line DEK-Info, as
	// openssl's -traditional writes them. A key of PKCS#8 that is encrypted ("BEGIN ENCRYPTED PRIVATE KEY") is an error that
	// says how to convert it.
	SSLKeyPassword string

	// RetryAttempts is how often Open tries to connect, the first time included. It tries again only where that may
	// help: network errors, a server that starts up, shuts down or has no free connections. Zero means 3, negative once.
	RetryAttempts int

	// RetryDelay is the time before the second attempt. Each delay is cut at random by up to a half, so that many
	// programs do not come back at the same time. Zero means 1 second, negative no delay.
	RetryDelay time.Duration

	// RetryBackoff is the factor by which the delay grows from one attempt to the next, at least 1. Zero means 2.
	RetryBackoff float64

	// RetryMaxDelay is what the delay does not grow beyond. Zero means 30 seconds, negative no limit.
	RetryMaxDelay time.Duration

	// Logger gets a warning before each retry, and one if the process opens a second pool to the same database. Nil
	// means slog.Default().
	Logger *slog.Logger
}

// ParseConfig returns a Config with the DSN, and with the DSN's schema as its Schema. It does not connect. The error is
// a *[ConfigError] that wraps a *driver.DSNError or a *driver.SchemaError.
func ParseConfig(dsn string) (Config, error) {
	c := Config{DSN: dsn}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	c.Schema = c.schema()
	return c, nil
}
