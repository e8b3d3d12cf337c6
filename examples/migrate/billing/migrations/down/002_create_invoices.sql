DROP VIEW {{tables.open_invoices}};
DROP TABLE {{tables.invoices}};
