package migfile

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// checkLinks returns a [*Error] if a symbolic link on the way to name, or name itself, leads out of files, as
// [os.DirFS] allows. Links within files are good: Kubernetes mounts a ConfigMap that way. In a file system without
// links, there is nothing to check.
func checkLinks(files fs.FS, name string) error {
	outside, err := leadsOut(files, name)
	switch {
	case err != nil:
		return cannotRead(name, err)
	case outside:
		return leaves(name)
	}
	return nil
}

// leadsOut follows the links of name one by one.
func leadsOut(files fs.FS, name string) (outside bool, err error) {
	const most = 40 // as for the kernel of Linux
	links, at := 0, "."
	steps := strings.Split(name, "/")
	for len(steps) > 0 {
		step := steps[0]
		steps = steps[1:]
		if step == ".." {
			if at == "." {
				return true, nil
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, step)
		info, err := fs.Lstat(files, next)
		if err != nil {
			return false, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := fs.ReadLink(files, next)
		if err != nil {
			return false, err
		}
		if target = filepath.ToSlash(target); path.IsAbs(target) || filepath.VolumeName(target) != "" {
			return true, nil
		}
		if links++; links > most {
			return false, fmt.Errorf("there are more than %d symbolic links on the way to it", most)
		}
		steps = append(strings.Split(target, "/"), steps...)
	}
	return false, nil
}

func leaves(name string) error {
	return &Error{File: printable(name), Reason: "a symbolic link leads out of the folder of the migrations: " +
		"copy what it points to into the folder"}
}

func cannotRead(name string, err error) error {
	return &Error{File: printable(name), Reason: "it cannot be read", Err: err}
}

// readFile reads a file that no link takes out of files.
func readFile(files fs.FS, name string) ([]byte, error) {
	if err := checkLinks(files, name); err != nil {
		return nil, err
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, cannotRead(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: name, Reason: "it is no regular file: remove it"}
	}
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, cannotRead(name, err)
	}
	return content, nil
}
