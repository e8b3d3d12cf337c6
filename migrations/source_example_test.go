package migrations_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pgdbm/pgdbm/migrations"
)

// The next file has the name that the folder's own style gives it.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "migrations")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"Create users", "Add e-mail to users", "R__views"} {
		path, err := migrations.Create(dir, name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(filepath.Base(path))
	}
	// Output:
	// 001_create_users.sql
	// 002_add_e_mail_to_users.sql
	// R__views.sql
}

// No link leaves the folder. With os.DirFS in place of Dir, this one would be followed.
func ExampleDir() {
	dir, err := os.MkdirTemp("", "migrations")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.Symlink("../elsewhere.sql", filepath.Join(dir, "001_create_users.sql")); err != nil {
		fmt.Println(err)
		return
	}
	_, err = fs.ReadFile(migrations.Dir(dir), "001_create_users.sql")
	fmt.Println("refused:", err != nil && !errors.Is(err, fs.ErrNotExist))
	// Output: refused: true
}
