ALTER TABLE {{tables.customers}} ADD COLUMN country text;
ALTER TABLE {{tables.customers}} ADD CONSTRAINT customers_country CHECK (country IS NOT NULL) NOT VALID;
ALTER TABLE {{tables.customers}} ALTER COLUMN country SET DEFAULT 'CH';
