BEGIN;
INSERT INTO {{tables.users}} (email) VALUES ('1@example.com');
INSERT INTO {{tables.users}} (email) VALUES ('2@example.com');
COMMIT;
