-- pgdbm:no-transaction
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS customers_email ON {{tables.customers}} (lower(email));
