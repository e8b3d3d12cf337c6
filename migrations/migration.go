package migrations

import (
	"fmt"

	"github.com/pgdbm/pgdbm/internal/migfile"
)

// Kind says when a migration runs.
type Kind uint8

// The kinds of migration.
const (
	Versioned  Kind = iota // runs once, in the order of the versions; the zero Kind
	Repeatable             // runs after the versioned ones, and again whenever its checksum changes
)

// String returns "versioned" or "repeatable".
func (k Kind) String() string {
	if k == Repeatable {
		return "repeatable"
	}
	return "versioned"
}

// MarshalText returns what String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what String returns.
func (k *Kind) UnmarshalText(text []byte) error {
	switch string(text) {
	case "versioned":
		*k = Versioned
	case "repeatable":
		*k = Repeatable
	default:
		return fmt.Errorf("pgdbm: migrations: no migration is of the kind %q", text)
	}
	return nil
}

// Migration describes one migration: a file, or a Go function. It is a plain value.
type Migration struct {
	// Version is from the file's name; 0 is a version like any other, and repeatable migrations have none: 0. Of a version in several parts
	// it is the first, and of one with too many digits [math.MaxInt64]: they run in the order of the whole version, but for MigrateTo and
	// Baseline those with the same Version belong together.
	Version       int64
	Name          string // from the file's name: create_users
	File          string // the file's name, as it stands in the history: 001_create_users.sql; with its folder only for [Folders]
	Kind          Kind
	NoTransaction bool // each statement runs on its own, because the file says -- pgdbm:no-transaction
	Go            bool // it is a Go function, and File is made of its version and name: 001_create_users.go
	Undoable      bool // it has an undo
	// Checksum is the SHA-256, in hexadecimal digits, of the file's text before expansion, with LF as its line ends and
	// without white space at its ends. For a Go function it says nothing about the code.
	Checksum string
}

// migration is a Migration with what it runs: a script or a function.
type migration struct {
	Migration
	up, down         *migfile.Script // down is nil if there is no undo
	upFunc, downFunc Func
}
