package migfile

import (
	"io/fs"
	"os"
)

// Dir returns the files of a folder on the disk, like [os.DirFS], but no symbolic link in it leads out of the folder,
// whoever may write there ([os.Root] sees to that). The folder itself may be a link.
//
// The folder is opened anew for each operation, so there is nothing to close, and a missing folder is an error when it
// is first read. The result is safe for concurrent use and implements [fs.ReadDirFS], [fs.ReadFileFS], [fs.StatFS] and
// [fs.ReadLinkFS].
func Dir(path string) fs.FS { return dirFS(path) }

type dirFS string

var (
	_ fs.ReadDirFS  = dirFS("")
	_ fs.ReadFileFS = dirFS("")
	_ fs.StatFS     = dirFS("")
	_ fs.ReadLinkFS = dirFS("")
)

// Open opens a file or a folder.
func (d dirFS) Open(name string) (fs.File, error) {
	return inRoot(d, func(files fs.FS) (fs.File, error) { return files.Open(name) })
}

// ReadDir lists a folder, sorted by name.
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return inRoot(d, func(files fs.FS) ([]fs.DirEntry, error) { return fs.ReadDir(files, name) })
}

// ReadFile reads a whole file.
func (d dirFS) ReadFile(name string) ([]byte, error) {
	return inRoot(d, func(files fs.FS) ([]byte, error) { return fs.ReadFile(files, name) })
}

// Stat describes what name leads to.
func (d dirFS) Stat(name string) (fs.FileInfo, error) {
	return inRoot(d, func(files fs.FS) (fs.FileInfo, error) { return fs.Stat(files, name) })
}

// Lstat describes name itself, even if it is a link.
func (d dirFS) Lstat(name string) (fs.FileInfo, error) {
	return inRoot(d, func(files fs.FS) (fs.FileInfo, error) { return fs.Lstat(files, name) })
}

// ReadLink returns what a link points to.
func (d dirFS) ReadLink(name string) (string, error) {
	return inRoot(d, func(files fs.FS) (string, error) { return fs.ReadLink(files, name) })
}

// inRoot opens the folder for one operation. A file opened in it outlives it.
func inRoot[T any](d dirFS, operation func(fs.FS) (T, error)) (result T, err error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return result, err
	}
	defer func() { _ = root.Close() }() // it was only read from
	return operation(root.FS())
}
