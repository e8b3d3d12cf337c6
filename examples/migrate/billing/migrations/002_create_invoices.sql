CREATE TABLE {{tables.invoices}} (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES {{tables.customers}} (id),
    cents       int NOT NULL,
    paid        timestamptz
);
