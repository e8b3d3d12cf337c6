package migfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// normalize makes CRLF and lone CR to LF, as Python does when it reads a text file.
func normalize(text string) string {
	if !strings.Contains(text, "\r") {
		return text
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// Checksum returns the checksum of a file's text as the Python library computes it. A BOM is part of it, because Python
// reads it as a character like any other, and one that is no white space.
func Checksum(text string) string { return hash(strings.TrimFunc(normalize(text), isPythonSpace)) }

// functionChecksum returns what stands in the history for a Go function, whose code cannot be hashed. It changes with the
// version and the name only, so that a corrected function is no changed migration.
func functionChecksum(version int64, name string) string {
	return hash(fmt.Sprintf("pgdbm:go:%d:%s", version, name))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// isPythonSpace reports whether Python's str.strip takes the character off. [unicode.IsSpace] does not know U+001C to
// U+001F, which Python takes for separators of lines.
func isPythonSpace(r rune) bool {
	switch {
	case '\t' <= r && r <= '\r', 0x1c <= r && r <= ' ', 0x2000 <= r && r <= 0x200a:
		return true
	}
	switch r {
	case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return false
}
