CREATE TABLE {{tables.task_labels}} (
    task_id bigint NOT NULL REFERENCES {{tables.tasks}},
    label_id integer NOT NULL REFERENCES {{tables.labels}},
    PRIMARY KEY (task_id, label_id)
);
ALTER TABLE {{tables.tasks}} ADD COLUMN due date;
