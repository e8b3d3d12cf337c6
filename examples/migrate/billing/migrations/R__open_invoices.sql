CREATE OR REPLACE VIEW {{tables.open_invoices}} AS
SELECT c.email, sum(i.cents) AS cents
FROM {{tables.customers}} c JOIN {{tables.invoices}} i ON i.customer_id = c.id
WHERE i.paid IS NULL
GROUP BY c.email;
