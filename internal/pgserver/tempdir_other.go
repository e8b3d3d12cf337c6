//go:build !linux

package pgserver

// freeTempDir returns "": only Linux has a directory in memory that is always at the same place.
func freeTempDir() string { return "" }
