DROP INDEX CONCURRENTLY {{tables.users_by_domain}};
