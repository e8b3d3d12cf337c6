package migfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// timestamps are how versions are made of a time.
var timestamps = []string{"20060102150405", "20060102_150405", "20060102-150405", "2006-01-02-150405"}

// unwritten is by what a draft is known that has been forgotten.
const unwritten = "-- Write the SQL here and remove this comment."

const draft = `-- %[1]s
--
` + unwritten + ` As long as there is nothing else, the file is refused, so that no draft is forgotten.
-- Templates become names in the schema that is migrated: {{tables.users}} the table "myschema".users, and {{schema}} the
-- schema "myschema". All statements run in one transaction, without BEGIN and COMMIT.
`

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
// file: its error is [fs.ErrExist] then. It is a [*Error] if the folder has files that are no migration's.
func Create(dir, name string) (string, error) { return create(dir, name, time.Now()) }

func create(dir, name string, now time.Time) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("pgdbm: the new migration needs a folder that exists: %w", err)
	}
	defer func() { _ = root.Close() }() // the files in it are closed, with their errors
	folder, names, err := takenNames(root.FS())
	if err != nil {
		return "", err
	}
	next, err := nextFile(names, name, now)
	if err != nil {
		return "", err
	}
	file := path.Join(folder, next.file)
	if err := createFile(root, file, fmt.Sprintf(draft, next.name)); err != nil {
		return "", err
	}
	if next.kind == Versioned && (next.style.upDown || hasUndoFolder(root.FS(), folder)) {
		undo := path.Join(folder, next.undoFile())
		if err := createFile(root, undo, fmt.Sprintf(draft, "undo "+next.name)); err != nil {
			return "", errors.Join(err, root.Remove(file))
		}
	}
	return filepath.Join(dir, filepath.FromSlash(file)), nil
}

// takenNames returns the folder of the migrations and the names in it. Those of undos are among them, so that no new
// migration gets one that is left over.
func takenNames(files fs.FS) (folder string, names []fileName, err error) {
	if err = needsFolders(files); err == nil {
		folder, err = findFolder(files, sqlFiles)
	}
	if err != nil {
		return "", nil, err
	}
	var problems []error
	names, undos, err := readNames(files, folder, sqlFiles, func(e *Error) { problems = append(problems, e) })
	for _, u := range undos {
		names = append(names, u.fileName)
	}
	return folder, names, errors.Join(append(problems, err)...)
}

// nextFile returns the name for a new file beside those that are there.
func nextFile(names []fileName, name string, now time.Time) (fileName, error) {
	repeated, isRepeatable := strings.CutPrefix(name, "R__")
	cleaned := cleanName(repeated)
	refuse := func(reason string) (fileName, error) {
		return fileName{}, fmt.Errorf("pgdbm: there can be no migration with the name %q: %s", name, reason)
	}
	if cleaned == "" {
		return refuse("it has no letters and digits")
	}
	file, number := "R__"+cleaned+".sql", ""
	if !isRepeatable {
		last := highest(names)
		number = last.nextNumber(now)
		file = last.style.file(number, cleaned)
	}
	next, reason := parseName(file)
	switch {
	case reason != "":
		return refuse(reason)
	case next.number != number || next.name != cleaned:
		return refuse("behind the version it would be taken for a part of it")
	}
	return next, nil
}

// cleanName keeps letters and digits, in lower case, with _ for anything in between.
func cleanName(name string) string {
	other := func(r rune) bool { return !unicode.In(r, unicode.Letter, unicode.Number, unicode.Mark) }
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), other), "_")
}

// highest returns the name with the highest version. If there is none, it is that of a version 0 before 001_name.sql.
func highest(names []fileName) fileName {
	versioned := slices.DeleteFunc(slices.Clone(names), func(n fileName) bool { return n.kind == Repeatable })
	if len(versioned) == 0 {
		return fileName{number: "000"}
	}
	return slices.MaxFunc(versioned, func(a, b fileName) int { return compareVersions(a.version, b.version) })
}

// nextNumber returns the version after n: a time after a time, else the next number, in the same width.
func (n fileName) nextNumber(now time.Time) string {
	for _, layout := range timestamps {
		last, err := time.Parse(layout, n.number)
		if err != nil {
			continue
		}
		next := last.Add(time.Second)
		if now.After(next) {
			next = now.UTC()
		}
		return next.Format(layout)
	}
	before := n.number[:strings.LastIndexAny(n.number, "._-")+1]
	last := n.number[len(before):]
	var next big.Int
	next.SetString(last, 10)
	return fmt.Sprintf("%s%0*d", before, len(last), next.Add(&next, big.NewInt(1)))
}

// file returns the name of a migration's file in the style.
func (s style) file(number, name string) string {
	between, ending := "_", ".sql"
	if s.prefix != "" {
		between = "__"
	}
	if s.upDown {
		ending = ".up.sql"
	}
	return s.prefix + number + cmp.Or(s.between, between) + name + ending
}

// createFile writes a new file.
func createFile(root *os.Root, file, text string) error {
	f, err := root.OpenFile(filepath.FromSlash(file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("pgdbm: the new migration cannot be written: %w", err)
	}
	return nil
}
