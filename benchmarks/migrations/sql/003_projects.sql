CREATE TABLE {{tables.projects}} (
    id bigserial PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES {{tables.organizations}},
    name text,
    UNIQUE (organization_id, name)
);
ALTER TABLE {{tables.users}} ADD COLUMN last_project bigint;
