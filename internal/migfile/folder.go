package migfile

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// lister lists the .sql files of a folder.
type lister func(files fs.FS, folder string) ([]string, error)

// findFolder returns the folder of the migrations: the root if any .sql file is in it, else the only folder in the root
// that has any. If none has, it is the root.
func findFolder(files fs.FS, list lister) (string, error) {
	inRoot, err := list(files, ".")
	if err != nil || len(inRoot) > 0 {
		return ".", err
	}
	folders, outside, err := subfolders(files, ".")
	if err != nil {
		return "", err
	}
	var found []string
	for _, folder := range folders {
		names, err := list(files, folder)
		if err != nil {
			return "", err
		}
		if len(names) > 0 && folder != undoFolder {
			found = append(found, folder)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &Error{File: printable(found[1]), Reason: fmt.Sprintf(
			"there are .sql files in this folder and in %s: say which has the migrations, with fs.Sub(files, %q)",
			printable(found[0]), found[0])}
	case outside != nil:
		return "", outside
	}
	return ".", nil
}

// subfolders returns the folders in a folder. Outside is the error for a link to a folder that leads out of files.
func subfolders(files fs.FS, in string) (folders []string, outside, err error) {
	entries, err := fs.ReadDir(files, in)
	if err != nil {
		return nil, nil, cannotRead(in, err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if isHidden(name) {
			continue
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			if entry.IsDir() {
				folders = append(folders, name)
			}
			continue
		}
		leaving, err := leadsOut(files, path.Join(in, name))
		if err != nil {
			continue // it leads nowhere
		}
		info, err := fs.Stat(files, path.Join(in, name))
		switch {
		case leaving && (err != nil || info.IsDir()): // not every file system says what is outside
			outside = leaves(path.Join(in, name))
		case !leaving && err == nil && info.IsDir():
			folders = append(folders, name)
		}
	}
	return folders, outside, nil
}

// sqlFiles returns the names of the .sql files in a folder, in alphabetical order. Hidden files and folders count for
// nothing. Names that end with .SQL are in it, because whoever wrote such a file would wonder.
func sqlFiles(files fs.FS, folder string) ([]string, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, cannotRead(folder, err)
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); strings.EqualFold(path.Ext(name), ".sql") && !isHidden(name) && !entry.IsDir() {
			names = append(names, name)
		}
	}
	return names, nil
}

// nestedFiles is sqlFiles with the files in the folders of that folder.
func nestedFiles(files fs.FS, folder string) ([]string, error) {
	names, err := sqlFiles(files, folder)
	if err != nil {
		return nil, err
	}
	nested, outside, err := subfolders(files, folder)
	if err = cmp.Or(err, outside); err != nil {
		return nil, err
	}
	for _, sub := range nested {
		if sub == undoFolder {
			continue
		}
		inside, err := sqlFiles(files, path.Join(folder, sub))
		if err != nil {
			return nil, err
		}
		for _, name := range inside {
			names = append(names, sub+"/"+name)
		}
	}
	return names, nil
}

// needsFolders returns an error that names the option for them if all migrations are in folders of their own.
func needsFolders(files fs.FS) error {
	folder, err := findFolder(files, nestedFiles)
	if err != nil {
		return nil // reading without them says more
	}
	names, err := nestedFiles(files, folder)
	if err != nil || len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { _, ok := ownFolder(name); return !ok }) {
		return nil
	}
	return &Error{File: printable(path.Join(folder, names[0])), Reason: "the migrations are in folders of their own, which only the option " +
		"migrations.Folders reads"}
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// readNames reads the names of the files in the folder, and of the undos there and in its folder down. It calls wrong
// for each that is no migration's.
func readNames(files fs.FS, folder string, list lister, wrong func(*Error)) (ups []fileName, undos []undo, err error) {
	undoPath := path.Join(folder, undoFolder)
	for _, in := range []string{folder, undoPath} {
		if in == undoPath && !hasUndoFolder(files, folder) {
			continue
		}
		if err := checkLinks(files, in); err != nil {
			return nil, nil, err
		}
		names, err := list(files, in)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			n, reason := parseName(name)
			switch {
			case reason != "":
				wrong(&Error{File: printable(path.Join(in, name)), Reason: reason})
			case n.undo || in == undoPath:
				undos = append(undos, undo{n, path.Join(in, name)})
			default:
				ups = append(ups, n)
			}
		}
	}
	return ups, undos, nil
}

// hasUndoFolder reports whether there is a folder down in folder, even one that cannot be read.
func hasUndoFolder(files fs.FS, folder string) bool {
	entries, err := fs.ReadDir(files, folder)
	return err == nil && slices.ContainsFunc(entries, func(entry fs.DirEntry) bool {
		return entry.Name() == undoFolder && (entry.IsDir() || entry.Type()&fs.ModeSymlink != 0)
	})
}
