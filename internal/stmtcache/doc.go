// Package stmtcache remembers statements for package driver: which are prepared on a connection ([Cache]), and what types the server
// gave them ([Descriptions]). What may be done with that, and when it has to be forgotten, is for the driver to decide.
package stmtcache
