-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		INSERT INTO {{tables.users}} (email) VALUES (i || '@example.com');
	END LOOP;
END;
$$;
-- +goose StatementEnd

-- +goose Down
DELETE FROM {{tables.users}};
