// Package docs_test keeps the documents in this folder true.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBlocks looks for each block of code in files that tests compile and run: Go and output somewhere in a file of Go, SQL, JSON
// and shell as a whole file.
func TestBlocks(t *testing.T) {
	t.Parallel()
	var compiled strings.Builder
	for _, name := range append(files(t, "../examples", ".go"), files(t, "../migrations", ".go")...) {
		compiled.WriteString("\n" + read(t, name))
	}
	source := unindent(compiled.String())
	for _, document := range files(t, ".", ".md") {
		for _, block := range blocks(read(t, document)) {
			switch block.language {
			case "go", "text":
				if !strings.Contains(source, "\n"+unindent(block.text)) {
					t.Errorf("these lines of %s are in no file of Go:\n%s", document, block.text)
				}
			case "sql", "sh", "json":
				same := func(name string) bool { return read(t, name) == block.text }
				if !slices.ContainsFunc(files(t, "../examples", "."+block.language), same) {
					t.Errorf("this block of %s is not in any file:\n%s", document, block.text)
				}
			default:
				t.Errorf("%s has a block of the language %q, which nothing checks:\n%s", document, block.language, block.text)
			}
		}
	}
}

// TestErrors looks in the source for the texts of the table of errors in migrations.md, except for those of others.
func TestErrors(t *testing.T) {
	t.Parallel()
	others := []string{"already exists", "does not exist", "canceling statement due to lock timeout",
		"canceling statement due to statement timeout", "context deadline exceeded", "cannot run inside a transaction block"}
	var source strings.Builder
	for _, name := range append(files(t, "../migrations", ".go"), files(t, "../internal/migfile", ".go")...) {
		if !strings.HasSuffix(name, "_test.go") {
			source.WriteString(read(t, name))
		}
	}
	joined := regexp.MustCompile(`" \+\s+"`).ReplaceAllString(source.String(), "") // literals of several lines
	_, table, _ := strings.Cut(read(t, "migrations.md"), "\n## What an error means\n")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1)
	if len(rows) < 10 {
		t.Errorf("the table of errors in migrations.md has %d rows", len(rows))
	}
	for _, row := range rows {
		if !slices.Contains(others, row[1]) && !strings.Contains(joined, row[1]) {
			t.Errorf("no error of package migrations has the text %q", row[1])
		}
	}
}

// TestLinks looks for what the documents link to: files, and headings of the same document.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	for _, document := range files(t, ".", ".md") {
		text := read(t, document)
		anchors := map[string]bool{}
		for _, h := range heading.FindAllStringSubmatch(text, -1) {
			anchor := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(h[1]), "")
			anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			if l[1] == "" && !anchors[l[2]] {
				t.Errorf("%s has no heading %s", document, l[2])
			}
			if _, err := os.Stat(l[1]); l[1] != "" && !strings.Contains(l[1], "://") && err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
}

type block struct{ language, text string }

// blocks returns the blocks of code in Markdown.
func blocks(markdown string) (all []block) {
	parts := strings.Split("\n"+markdown, "\n```")
	for i := 1; i < len(parts); i += 2 {
		language, text, _ := strings.Cut(parts[i], "\n")
		all = append(all, block{language, text + "\n"})
	}
	return all
}

// unindent removes what the same lines have more or less of in another place: white space, and the comment in which an
// example has its output.
func unindent(text string) string {
	return regexp.MustCompile(`(?m)^[\t ]*(// ?)?[\t ]*`).ReplaceAllString(text, "")
}

// files returns the files under a folder whose names end so.
func files(t *testing.T, folder, ending string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ending) {
			found = append(found, name)
		}
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatalf("no files %s in %s: %v", ending, folder, err)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
