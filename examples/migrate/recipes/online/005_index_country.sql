-- pgdbm:no-transaction
CREATE INDEX CONCURRENTLY customers_country_email ON {{tables.customers}} (country, email);
