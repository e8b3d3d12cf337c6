ALTER TABLE {{tables.tasks}} ADD COLUMN priority smallint NOT NULL DEFAULT 0;
ALTER TABLE {{tables.tasks}} ADD CONSTRAINT tasks_priority_range CHECK (priority BETWEEN 0 AND 9);
COMMENT ON COLUMN {{tables.tasks}}.priority IS '0 is the most urgent';
