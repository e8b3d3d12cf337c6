ALTER TABLE {{tables.projects}} ADD COLUMN archived_at timestamptz;
ALTER TABLE {{tables.projects}} ALTER COLUMN name SET NOT NULL;
