-- pgdbm:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.customers_email;
