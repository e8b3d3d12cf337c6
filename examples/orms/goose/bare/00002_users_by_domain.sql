-- +goose NO TRANSACTION

-- +goose Up
CREATE INDEX CONCURRENTLY users_by_domain ON users (split_part(email, '@', 2));

-- +goose Down
DROP INDEX CONCURRENTLY users_by_domain;
