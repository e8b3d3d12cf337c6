DROP FUNCTION users_total;
DROP TABLE users;
