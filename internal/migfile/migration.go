package migfile

import (
	"fmt"
	"strconv"
)

// Kind says when a migration runs.
type Kind uint8

// The kinds of migration.
const (
	Versioned  Kind = iota // runs once, in the order of the versions; the zero Kind
	Repeatable             // runs after the versioned ones, and again whenever its checksum changes
)

// Migration is a file with its undo, or a function.
type Migration struct {
	Version       int64  // its first part; of a repeatable migration 0
	version       string // all of it, in its shortest form
	Name          string
	File          string // without its folder, as it stands in the history
	Kind          Kind
	NoTransaction bool
	Go            bool // it is a function
	Undoable      bool
	Checksum      string
	Up, Down      *Script // nil if there is none
}

// Function is a migration that is written in Go.
type Function struct {
	Version  int64
	Name     string
	Up, Down bool // what there is of it
}

// file returns what stands in the history in place of a file's name.
func (f Function) file() string { return fmt.Sprintf("%03d_%s.go", f.Version, f.Name) }

// check returns an *Error if the function cannot be a migration.
func (f Function) check() error {
	reason := checkFileName(f.file())
	switch {
	case f.Version < 0:
		reason = "the version of a Go function is negative: versions begin at 0"
	case f.Name == "":
		reason = "a Go function needs a name, such as fill_emails"
	case !isName(f.Name):
		reason = "the name of a Go function cannot be part of a file's name: use letters, digits and _"
	case !f.Up:
		reason = "the function is nil: pass the function that migrates; only the undo may be nil"
	}
	if reason != "" {
		return &Error{File: printable(f.file()), Reason: reason}
	}
	return nil
}

func (f Function) migration() *Migration {
	return &Migration{Version: f.Version, version: strconv.FormatInt(f.Version, 10), Name: f.Name, File: f.file(), Go: true, Undoable: f.Down,
		Checksum: functionChecksum(f.Version, f.Name)}
}
