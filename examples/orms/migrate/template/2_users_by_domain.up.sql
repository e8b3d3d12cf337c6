CREATE INDEX CONCURRENTLY users_by_domain ON {{tables.users}} (split_part(email, '@', 2));
