/* a comment /* in a comment
-- pgdbm:nothing
*/ */
-- pgdbm:no-transaction
CREATE INDEX CONCURRENTLY a ON {{tables.users}} (a);
CREATE INDEX CONCURRENTLY b ON {{tables.users}} (b) -- no semicolon
