package pgserver

import "syscall"

// freeTempDir returns a directory in memory, or "" if there is none that is large enough: containers have one of 64 MB.
func freeTempDir() string {
	const dir, enough = "/dev/shm", 1 << 30
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < enough {
		return ""
	}
	return dir
}
