CREATE TABLE {{tables.organizations}} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL
);
CREATE TABLE {{tables.members}} (
    organization_id bigint NOT NULL REFERENCES {{tables.organizations}} ON DELETE CASCADE,
    user_id bigint NOT NULL REFERENCES {{tables.users}} ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'reader',
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX members_user_id ON {{tables.members}} (user_id);
