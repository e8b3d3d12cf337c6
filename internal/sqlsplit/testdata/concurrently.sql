-- pgdbm:no-transaction
/* Each of these runs alone; /* that is */ why there is no transaction. */
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_name ON users (name);;

VACUUM ANALYZE users; ALTER TYPE mood ADD VALUE 'fine;' -- a value
    AFTER 'it''s';
CREATE OR REPLACE RULE audit AS ON UPDATE TO users DO ALSO (
    INSERT INTO log VALUES ('update;');
    NOTIFY users, 'changed;'
);
BEGIN;
CREATE FUNCTION begin(atomic int) RETURNS int
BEGIN ATOMIC
    SELECT CASE WHEN atomic > 1 THEN 1 END;
    SELECT atomic AS end;
END;
SAVEPOINT s; ROLLBACK TO s;
COMMIT;
DROP INDEX CONCURRENTLY users_old -- the last one; without a semicolon
