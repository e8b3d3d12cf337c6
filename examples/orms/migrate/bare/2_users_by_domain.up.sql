CREATE INDEX CONCURRENTLY users_by_domain ON users (split_part(email, '@', 2));
