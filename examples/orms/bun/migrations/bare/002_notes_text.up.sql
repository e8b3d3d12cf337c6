-- bun's template for files without a transaction begins like this. The connection, which keeps the setting, is closed afterwards.
SET statement_timeout = 0;

--bun:split

CREATE INDEX CONCURRENTLY notes_text ON notes (text);
