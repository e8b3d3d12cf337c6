// Package pgdocker starts PostgreSQL servers for tests in Docker containers: it is the source "docker" of package pgserver.
//
// The engine is the one of DOCKER_HOST, or the usual socket. The image is that of PGDBM_TEST_IMAGE (such as one with PostGIS),
// which has to behave like the official one; else one of the name postgres that the engine has, with the highest version; else
// the official one is pulled. The server keeps its data in memory, and listens on a port of this machine's own address. Its
// password is random.
//
// Nothing stays behind. The keeper of the server removes the container. If the keeper is killed, its connection to the
// container's standard input ends, and with that the container. What is left when the engine did not come so far as to start
// it, the next keeper removes: labels of a container say where its keeper could be asked.
//
// It needs Unix; elsewhere the package is empty.
package pgdocker
