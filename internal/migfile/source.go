package migfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// undoFolder holds undo files. The Python library does not read it; it would run an undo next to its migration.
const undoFolder = "down"

// Read reads the migrations in files, which may be nil if there are functions, and checks all of them, so that nothing runs when
// anything is wrong. With folders, each may have a folder of its own. The versioned ones come first, by version, then the repeatable ones, by name. The error joins a [*Error] for each
// thing that is wrong, or wraps ErrNoMigrations.
func Read(files fs.FS, functions []Function, folders bool) ([]*Migration, error) {
	r := reader{files: files, folder: ".", byFile: map[string]*Migration{}, byVersion: map[string]*Migration{}}
	if files != nil {
		list := sqlFiles
		if folders {
			list = nestedFiles
		} else if err := needsFolders(files); err != nil {
			return nil, err
		}
		if err := r.readFiles(list); err != nil {
			return nil, err
		}
	}
	for _, f := range functions {
		if err := f.check(); err != nil {
			r.problem(err)
			continue
		}
		r.add(f.migration())
	}
	for _, undo := range r.undos {
		r.addUndo(undo)
	}
	r.readScripts()
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	if len(r.migrations) == 0 {
		return nil, r.nothing()
	}
	slices.SortFunc(r.migrations, inOrder)
	return r.migrations, nil
}

// inOrder compares migrations by when they run.
func inOrder(a, b *Migration) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), compareVersions(a.version, b.version), cmp.Compare(a.Name, b.Name))
}

// reader collects migrations, and what is wrong with them.
type reader struct {
	files      fs.FS
	folder     string // where the migrations are
	migrations []*Migration
	byFile     map[string]*Migration
	byVersion  map[string]*Migration // the versioned ones
	names      map[*Migration]fileName
	undos      []undo
	problems   []error
}

// undo is an undo's file, before its migration is known.
type undo struct {
	fileName
	path string
}

func (r *reader) problem(err error) { r.problems = append(r.problems, err) }

func (r *reader) wrong(file, reason string, values ...any) {
	r.problem(&Error{File: printable(file), Reason: fmt.Sprintf(reason, values...)})
}

// readFiles finds the files and reads their names.
func (r *reader) readFiles(list lister) (err error) {
	if r.folder, err = findFolder(r.files, list); err != nil {
		return err
	}
	names, undos, err := readNames(r.files, r.folder, list, func(e *Error) { r.problem(e) })
	if err != nil {
		return err
	}
	r.undos = undos
	r.names = make(map[*Migration]fileName, len(names))
	for _, n := range names {
		m := &Migration{
			Version: firstPart(n.version), version: n.version, Name: n.name, File: n.file, Kind: n.kind,
			Up: &Script{File: path.Join(r.folder, n.file)},
		}
		if r.add(m) {
			r.names[m] = n
		}
	}
	return nil
}

// add adds a migration, unless there is one with its version.
func (r *reader) add(m *Migration) bool {
	r.byFile[m.File] = m
	if m.Kind == Versioned {
		if other := r.byVersion[m.version]; other != nil {
			r.wrong(r.pathOf(m), "version %s is that of %s too: give one of them another version; if one undoes the other, move it to "+
				"%s/, under the name of the other", m.version, other.File, undoFolder)
			return false
		}
		r.byVersion[m.version] = m
	}
	r.migrations = append(r.migrations, m)
	return true
}

// pathOf returns what to call the migration in an error.
func (r *reader) pathOf(m *Migration) string {
	if m.Go {
		return m.File
	}
	return m.Up.File
}

// addUndo finds the migration that the undo belongs to.
func (r *reader) addUndo(u undo) {
	m, other := r.byFile[u.upFile()], r.byVersion[u.version]
	if m == nil && other != nil && path.Base(other.File) == "migration.sql" && path.Dir(other.File) == path.Dir(u.file) {
		m = other
	}
	switch {
	case u.kind == Repeatable:
		r.wrong(u.path, "a repeatable migration has no undo: the next change of its file replaces it. Remove the file")
	case m != nil && m.Down != nil:
		r.wrong(u.path, "%s undoes %s too: remove one of them", m.Down.File, m.File)
	case m != nil:
		m.Down, m.Undoable = &Script{File: u.path, undo: true}, true
	case other != nil && other.Go:
		r.wrong(u.path, "version %s is the Go function %s, which has its undo in Go: remove the file", u.version, other.Name)
	case other != nil:
		r.wrong(u.path, "it undoes no migration, because %s does not exist: if it is for %s, call it %s",
			path.Join(r.folder, u.upFile()), other.File, path.Join(r.folder, r.names[other].undoFile()))
	default:
		r.wrong(u.path, "it undoes no migration, because %s does not exist: remove it, or bring that file back",
			path.Join(r.folder, u.upFile()))
	}
}

// readScripts reads the text of all files.
func (r *reader) readScripts() {
	for _, m := range r.migrations {
		if m.Up != nil {
			r.readScript(m.Up)
			m.Checksum, m.NoTransaction = m.Up.Checksum, m.Up.NoTransaction
		}
		if m.Down != nil {
			r.readScript(m.Down)
		}
	}
}

// readScript reads the text of a file of which only the name is known so far.
func (r *reader) readScript(named *Script) {
	content, err := readFile(r.files, named.File)
	if err == nil {
		err = named.load(content)
	}
	if err != nil {
		r.problem(err)
	}
}

// nothing returns the error for no migrations at all.
func (r *reader) nothing() error {
	if r.files == nil {
		return fmt.Errorf("%w: pass a file system that has some, such as an embed.FS, or register Go functions with "+
			"migrations.Go", ErrNoMigrations)
	}
	looked := "in the root of the file system"
	if folders, _, err := subfolders(r.files, "."); err == nil && len(folders) > 0 {
		looked += " and in " + strings.Join(folders, ", ")
	}
	return fmt.Errorf("%w: no .sql file %s; if they are in another folder, pass it with fs.Sub", ErrNoMigrations, looked)
}
