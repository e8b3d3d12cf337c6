package dsn

import "fmt"

// Error says what is wrong with a DSN. It shows neither the DSN nor a password.
type Error struct {
	Key    string // the key that is wrong, or "" if it is the whole
	Reason string
}

// Error names the key and the reason.
func (e *Error) Error() string {
	if e.Key == "" {
		return "pgdbm: invalid DSN: " + e.Reason
	}
	return fmt.Sprintf("pgdbm: invalid DSN: key %s: %s", e.Key, e.Reason)
}
