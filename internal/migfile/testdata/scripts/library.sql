-- what the Python library writes
BEGIN;

CREATE TABLE {{tables.users}} (
    id serial PRIMARY KEY, -- {{tables.users}} in a comment stays
    email text NOT NULL DEFAULT '; not the end'
);
CREATE INDEX users_email ON {{tables.users}} (email);
COMMENT ON TABLE {{tables.users}} IS 'see {{schema}}.users; ''quoted''';

COMMIT;
-- the end
