package migrations

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pgdbm/pgdbm/internal/migfile"
)

// source is all that there is to migrate with, checked and ready to run.
type source struct {
	migrations []*migration // the versioned ones by version, then the repeatable ones by name
	byFile     map[string]*migration
	flyway     bool // undos are beside their migrations, as U1__name.sql
}

// readSource reads the migrations in files, which may be nil if o has functions. The error joins a [*SourceError] for each thing
// that is wrong, or wraps [ErrNoMigrations].
func readSource(files fs.FS, o *options) (*source, error) {
	listed := make([]migfile.Function, len(o.functions))
	for i, f := range o.functions {
		listed[i] = migfile.Function{Version: f.version, Name: f.name, Up: f.up != nil, Down: f.down != nil}
	}
	found, err := migfile.Read(files, listed, o.folders)
	if err != nil {
		return nil, sourceError(err)
	}
	s := &source{byFile: make(map[string]*migration, len(found))}
	for _, f := range found {
		m := &migration{up: f.Up, down: f.Down, Migration: Migration{Version: f.Version, Name: f.Name, File: f.File, Kind: Kind(f.Kind),
			NoTransaction: f.NoTransaction, Go: f.Go, Undoable: f.Undoable, Checksum: f.Checksum}}
		for _, g := range o.functions {
			if f.Go && g.version == f.Version {
				m.upFunc, m.downFunc = g.up, g.down
			}
		}
		s.migrations, s.byFile[m.File] = append(s.migrations, m), m
		s.flyway = s.flyway || f.Down != nil && path.Base(f.Down.File)[0] == 'U' && path.Dir(f.Down.File) == path.Dir(f.Up.File)
	}
	return s, nil
}

// Dir returns the files of a folder on the disk, like [os.DirFS], but no symbolic link in it leads out of the folder,
// whoever may write there ([os.Root] sees to that). The folder itself may be a link.
//
// The folder is opened anew for each operation, so there is nothing to close, and a missing folder is an error when it
// is first read. The result is safe for concurrent use and implements [fs.ReadDirFS], [fs.ReadFileFS], [fs.StatFS] and
// [fs.ReadLinkFS].
func Dir(path string) fs.FS { return migfile.Dir(path) }

// Create writes the file for the next migration into a folder and returns its path. Name says what the migration does:
// "Add users!" makes add_users of it. Letters and digits are kept, in lower case. A name that begins with R__ makes a
// repeatable migration.
//
// The file is named like the one with the highest version in the folder, or 001_add_users.sql if there is none. A number
// keeps its width, and a timestamp is the time in UTC, or a second after the last one if that is later. Versions of Go
// functions are not known here. In the style of golang-migrate there are two files, and the path is that of .up.sql; a
// folder that has a folder down gets a file there too. As for [New], the files may be in the only folder of dir that has
// any.
//
// The files hold nothing but a comment, with which [New] refuses them until there is a statement. Create never overwrites a
// file: its error is [fs.ErrExist] then. It is a [*SourceError] if the folder has files that are no migration's.
func Create(dir, name string) (string, error) {
	file, err := migfile.Create(dir, name)
	return file, sourceError(err)
}

// ErrNoMigrations says that there is nothing to migrate with: no migration file where they are looked for, and no Go
// function. The error that wraps it says where it looked.
var ErrNoMigrations = migfile.ErrNoMigrations

// SourceError says what is wrong with a migration before it runs: with its file's name, with the file's text, or with
// a Go function, whose File is like 001_create_users.go. Errors of several files come together, joined as by [errors.Join].
type SourceError struct {
	File   string // the file's path in the file system, such as migrations/001_create_users.sql
	Line   int    // from 1; 0 if the error has no place in the file
	Column int    // in characters, from 1; 0 as Line
	Reason string // what is wrong, and what to do
	Err    error  // the cause, or nil
}

// Error names the file, the place, the reason and the cause.
func (e *SourceError) Error() string { return (*migfile.Error)(e).Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// sourceError makes the errors of package migfile, which may be joined, those of this package.
func sourceError(err error) error {
	switch e := err.(type) { //nolint:errorlint // those themselves, not what they wrap
	case *migfile.Error:
		return (*SourceError)(e)
	case interface{ Unwrap() []error }:
		all := make([]error, len(e.Unwrap()))
		for i, one := range e.Unwrap() {
			all[i] = sourceError(one)
		}
		return errors.Join(all...)
	}
	return err
}

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
