CREATE TABLE notes (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    author  text NOT NULL,
    text    text NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notes_author ON notes (author);
