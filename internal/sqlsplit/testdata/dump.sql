--
-- PostgreSQL database dump
--

\restrict 4eTtGGZ0FZvLQfTbZyvXgNxkhcAkrZDtzO0nKe3VfJPVmF1Yyq2SGQk8LQ1cWqD

-- Dumped from database version 15.14
-- Dumped by pg_dump version 15.14

SET statement_timeout = 0;
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: add(integer, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.add(a integer, b integer) RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (add.a > 1) THEN (add.a + add.b)
             ELSE 0
         END AS "case";
END;


--
-- Data for Name: notes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.notes (id, note) FROM stdin;
1	it's; $$ {{tables.x}} "
2	\\.\n-- /*
\.


--
-- Data for Name: empty; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.empty  FROM stdin;
\.


SELECT pg_catalog.setval('public.notes_id_seq', 2, true);


--
-- PostgreSQL database dump complete
--

\unrestrict 4eTtGGZ0FZvLQfTbZyvXgNxkhcAkrZDtzO0nKe3VfJPVmF1Yyq2SGQk8LQ1cWqD

