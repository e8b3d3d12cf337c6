-- Many kinds of object, for a dump of them. It's psql's and ours; both have to read it /* alike, so that names like
-- begin are in quotes where psql would count them.
\restrict abc123
SET client_min_messages = warning;;

CREATE EXTENSION IF NOT EXISTS plpgsql; CREATE SCHEMA app
    CREATE TABLE made_with_schema (id int PRIMARY KEY, note text DEFAULT ';')
    CREATE VIEW of_schema AS SELECT id FROM made_with_schema;
CREATE SCHEMA "odd ; $$ 'schema'";

CREATE TYPE app.mood AS ENUM ('sad;', 'it''s ok', E'a\\b');
CREATE TYPE app.pair AS (a int, "b;" text);
CREATE DOMAIN app.short AS text CONSTRAINT "no ; here" CHECK (VALUE !~ E'[;\']' AND length(VALUE) < 10);
CREATE SEQUENCE app.counter START 100 INCREMENT BY 7;

CREATE TABLE app.users (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL DEFAULT 'O''Hara; -- no comment',
    begin timestamptz,
    atomic boolean DEFAULT false, -- "it's;
    "end" text COLLATE "C" DEFAULT $$;$$,
    mood app.mood,
    pair app.pair,
    PRIMARY KEY (id),
    CHECK (begin IS NULL OR (name <> ';'))
);
COMMENT ON TABLE app.users IS 'a comment; with
-- lines
\connect nowhere
\.
and ''quotes''';
COMMENT ON COLUMN app.users."end" IS E'tab\there; back\\slash';

CREATE TABLE app.bytes (id int PRIMARY KEY, t text, b bytea, a text[]);
INSERT INTO app.bytes SELECT i, chr(i) || E'x;\n\\.\n' || chr(i), decode(lpad(to_hex(i), 2, '0'), 'hex'), ARRAY[chr(i), ';', NULL]
    FROM generate_series(1, 300) i WHERE i NOT BETWEEN 55296 AND 57343;
INSERT INTO app.bytes VALUES (1000, '\.', NULL, '{}'), (1001, E'\n\\.\n', '', NULL), (1002, '', E'\\x5c2e0a', '{NULL}'),
    (1003, '{{tables.users}}; $$ '' " /* --', NULL, NULL), (1004, NULL, NULL, NULL), (1005, E'\r\n\\.\r\n', NULL, NULL);

COPY app.users (name, begin, mood) FROM stdin; -- the rows follow; it's true
Zoë; DROP TABLE app.users;	2020-01-01 00:00:00+00	sad;
'"$$/*	\N	it's ok
\\.	\N	a\\b
\.

COPY app.made_with_schema FROM stdin WITH (FORMAT csv, HEADER);
id,note
1,"a ; ""quoted""
 and a second line"
2,\\.
3,"; BEGIN;"
\.
CREATE TABLE app.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE app.events_2020 PARTITION OF app.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE app.events_rest PARTITION OF app.events DEFAULT;
INSERT INTO app.events VALUES ('2020-05-05', 'in;'), ('1999-09-09', 'rest');
CREATE INDEX events_at ON app.events (at) WHERE what <> ';';
CREATE UNIQUE INDEX ON app.users (lower(name), (name || ';'));
CREATE STATISTICS app.stats ON id, name FROM app.users;

CREATE FUNCTION app.quoted(a int DEFAULT 1, b text DEFAULT ';') RETURNS text LANGUAGE sql AS 'SELECT a || '';'' || b;';
CREATE FUNCTION app.dollar() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    -- it's a comment; with a $$ in it
    EXECUTE $$SELECT 'a;'$$;
    IF NEW.name = ';' THEN RETURN NULL; END IF;
    RETURN NEW;
END;
$fn$;
CREATE FUNCTION app.atomic(n int) RETURNS SETOF int
    LANGUAGE sql
    BEGIN ATOMIC
        SELECT CASE WHEN n > 1 THEN CASE n WHEN 2 THEN 20 ELSE 30 END END AS "end"; -- ; END;
        SELECT "begin" atomic FROM (SELECT 1 AS begin) x;
        (SELECT n);
        SELECT n AS "end";
    END;
CREATE OR REPLACE PROCEDURE app.proc(begin int, atomic text DEFAULT 'END;') LANGUAGE sql
BEGIN /* ; */ ATOMIC
    INSERT INTO app.events VALUES ('2020-01-01', CASE WHEN proc.begin = 1 THEN atomic END);;
    DELETE FROM app.events WHERE what = ';';
END;
CREATE FUNCTION app."begin"(int) RETURNS int RETURN CASE WHEN $1 > 0 THEN 1 END;
CREATE FUNCTION app.variadic(VARIADIC begin int[]) RETURNS int IMMUTABLE STRICT RETURN array_length(begin, 1);
CREATE AGGREGATE app.total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR app.=-> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE CAST (app.pair AS text) WITH INOUT;

CREATE TABLE app.log (what text);
CREATE RULE log_insert AS ON INSERT TO app.events_rest DO ALSO (
    INSERT INTO app.log VALUES ('insert; )');
    SELECT app.quoted(1, ';');
);
CREATE RULE log_delete AS ON DELETE TO app.log WHERE old.what = ';' DO INSTEAD NOTHING;
CREATE TRIGGER users_name BEFORE INSERT OR UPDATE OF name, "end" ON app.users
    FOR EACH ROW WHEN (NEW.name <> ';') EXECUTE FUNCTION app.dollar('a;', '$$');
CREATE VIEW app.names AS SELECT name AS "na;me", 'x;y'::text AS begin, begin atomic FROM app.users WHERE name <> $q$;$q$;
CREATE MATERIALIZED VIEW app.counts AS SELECT count(*) FROM app.users;
ALTER TABLE app.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.users FOR SELECT USING (name = current_user || ';');
CREATE TABLE "odd ; $$ 'schema'"."t;" ("c;" int REFERENCES app.made_with_schema (id), "q""uoted" text);
COPY "odd ; $$ 'schema'"."t;" ("c;", "q""uoted") FROM stdin;
1	\N
\.
CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere OPTIONS (a ';', b '''');
CREATE PUBLICATION pub FOR TABLE app.users WHERE (name <> ';');
GRANT SELECT (id, name) ON app.users TO PUBLIC;
SELECT pg_catalog.setval('app.counter', 114, true);
DO $$ BEGIN PERFORM lo_create(4711); PERFORM lo_put(4711, 0, E'\\x3b270a5c2e0a'); END $$;
COPY app.log FROM stdin;
\.
\unrestrict abc123
-- it's the end; /* and no line break