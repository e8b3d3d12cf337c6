-- Migration: create_users
-- Created: 2024-01-01T12:00:00

BEGIN;

-- Your migration SQL here
CREATE TABLE "myapp".users (
    id SERIAL PRIMARY KEY,
    email VARCHAR(255) UNIQUE NOT NULL -- no ; here
);

CREATE OR REPLACE FUNCTION "myapp".touch() RETURNS TRIGGER AS $$
BEGIN
    NEW.updated_at = NOW();
    RETURN NEW;
END;
$$ language 'plpgsql';

COMMIT;

-- Down (for reference): DROP TABLE users;
