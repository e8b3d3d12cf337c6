ALTER TABLE {{tables.organizations}} ADD COLUMN settings jsonb;
UPDATE {{tables.organizations}} SET settings = '{}';
COMMENT ON TABLE {{tables.organizations}} IS 'who pays';
