-- pgdbm:no-transaction
DO $$
DECLARE
    filled int;
BEGIN
    LOOP
        UPDATE {{tables.customers}} SET country = 'CH'
        WHERE id IN (SELECT id FROM {{tables.customers}} WHERE country IS NULL LIMIT 1000);
        GET DIAGNOSTICS filled = ROW_COUNT;
        EXIT WHEN filled = 0;
        COMMIT;
    END LOOP;
END
$$;
