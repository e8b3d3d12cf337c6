CREATE TABLE {{tables.labels}} (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE
);
INSERT INTO {{tables.labels}} (name) VALUES ('bug'), ('idea'), ('question');
