// Package dsn reads connection strings for package driver: those of pgx, with keys of our own, which it takes off. What cannot be meant is
// refused with an [Error] that shows no password.
package dsn
