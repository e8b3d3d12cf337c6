DROP FUNCTION {{schema}}.users_total;
DROP TABLE {{tables.users}};
