package stmtcache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Identity is what decides about the meaning of a session's statements besides their texts: what it was opened with, and the settings
// that were changed since. It is used by one goroutine at a time.
type Identity struct {
	Hash uint64 // of all of it

	base     string
	settings []string // the statements that changed some, the last one last
}

// NewIdentity returns the identity of a session that was opened with these values.
func NewIdentity(values ...string) Identity {
	i := Identity{base: string(digest(values...))}
	i.hash()
	return i
}

// Change records a statement that has changed settings. After the same ones in the same order statements mean the same. One that nobody
// else can have sent, such as a random text, sets the session apart.
func (i *Identity) Change(sql string) {
	const most = 16
	i.settings = slices.DeleteFunc(i.settings, func(old string) bool { return old == sql })
	i.settings = append(i.settings, sql)
	if len(i.settings) > most {
		i.base, i.settings = string(digest(append(i.settings, i.base)...)), nil
	}
	i.hash()
}

func (i *Identity) hash() {
	i.Hash = binary.BigEndian.Uint64(digest(append([]string{i.base}, i.settings...)...))
}

// Name returns the name of a prepared statement: a digest of all that decides what it means, so that in any session it is this statement
// or does not exist.
func (i *Identity) Name(prefix, sql, path string, types []uint32) string {
	parts := append([]string{i.base, sql, path, fmt.Sprint(types)}, i.settings...)
	return prefix + hex.EncodeToString(digest(parts...)[:20])
}

// digest returns a hash that no two lists of parts share.
func digest(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	return h.Sum(nil)
}
