CREATE TABLE {{tables.comments}} (
    id bigserial PRIMARY KEY,
    task_id bigint NOT NULL REFERENCES {{tables.tasks}} ON DELETE CASCADE,
    body text NOT NULL
);
CREATE INDEX comments_task_id ON {{tables.comments}} (task_id);
