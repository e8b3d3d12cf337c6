CREATE TABLE moves (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    moved_from text NOT NULL,
    moved_to   text NOT NULL,
    notes      bigint NOT NULL,
    moved      timestamptz NOT NULL DEFAULT now()
);
