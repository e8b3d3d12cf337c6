CREATE FUNCTION {{schema}}.touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    -- pgdbm:no-transaction is no directive in here
    UPDATE {{tables.users}} SET seen = now();
    RETURN NEW;
END
$body$;
DO $$ BEGIN PERFORM '{{tables.users}}'::regclass; END $$;
CREATE RULE r AS ON INSERT TO {{tables.users}} DO ALSO (SELECT 1; SELECT 2);
