BEGIN;
INSERT INTO users (email) VALUES ('1@example.com');
INSERT INTO users (email) VALUES ('2@example.com');
COMMIT;
