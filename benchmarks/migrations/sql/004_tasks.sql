CREATE TABLE {{tables.tasks}} (
    id bigserial PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES {{tables.projects}},
    assignee_id bigint REFERENCES {{tables.users}},
    title text NOT NULL,
    done boolean NOT NULL DEFAULT false
);
CREATE INDEX tasks_project_id ON {{tables.tasks}} (project_id);
CREATE INDEX tasks_assignee_id ON {{tables.tasks}} (assignee_id) WHERE NOT done;
