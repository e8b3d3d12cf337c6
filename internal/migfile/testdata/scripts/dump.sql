\restrict abc123
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE {{tables.t}} (a text, b int);
COPY {{tables.t}} (a, b) FROM stdin; -- rows of users
{{tables.t}} stays; BEGIN;	1
-- pgdbm:no-transaction	2
{{nothing}}	3
\.
COPY {{tables.t}} FROM stdin;
\.
\unrestrict abc123
