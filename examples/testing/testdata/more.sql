INSERT INTO {{tables.accounts}} (id, owner, cents)
SELECT 100 + i, 'customer ' || i, 100 * i FROM generate_series(1, 50) AS i;
