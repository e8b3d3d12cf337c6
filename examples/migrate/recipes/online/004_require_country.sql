-- pgdbm:no-transaction
ALTER TABLE {{tables.customers}} VALIDATE CONSTRAINT customers_country;
ALTER TABLE {{tables.customers}} ALTER COLUMN country SET NOT NULL;
ALTER TABLE {{tables.customers}} DROP CONSTRAINT IF EXISTS customers_country;
