// Package pgembedded downloads PostgreSQL and starts servers from it, for tests: it is the source "embedded" of package
// pgserver.
//
// The programs come from the Maven repository that publishes them for embedding, or from the mirror of it whose base URL is in
// PGDBM_TEST_DOWNLOAD. They are kept in the user's cache directory, or in /var/cache/pgdbm for root: some 50 MB for each
// version. The directory can be removed at any time. The server runs like one from local programs, and is as private.
//
// To see that the programs work, a server is started once after the download. As PostgreSQL refuses root, that runs as the
// account that servers run as if we are root, in a process of its own.
//
// It needs Unix; elsewhere the package is empty.
package pgembedded
