// Package supervise runs a server program of somebody else, such as PostgreSQL or PgBouncer, for the tests and demos of
// this repository, and leaves nothing of it behind.
//
// The program runs below a supervising shell process, which makes the program's directory and holds the other end of a
// pipe. [Process.Stop] ends the program and removes the directory. If our own program ends in any other way (a panic,
// os.Exit, kill -9), the supervisor notices that the pipe is closed and does the same within moments. It has its own
// session, so Ctrl-C in a terminal reaches our program alone.
//
// The server programs refuse to run as root. If we are root, they run as the user postgres or, where there is none,
// nobody: always the same one, so that they can enter each other's directories.
//
// It needs Unix; elsewhere the package is empty.
package supervise
