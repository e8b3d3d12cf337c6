-- name: AddUser :one
INSERT INTO "{{tables.users}}" (email, name) VALUES ($1, $2) RETURNING id;

-- name: AddPost :one
INSERT INTO "{{tables.posts}}" (user_id, title) VALUES ($1, $2) RETURNING id;

-- name: User :one
SELECT * FROM "{{tables.users}}" WHERE id = $1;

-- name: TenantsOfUsers :many
SELECT tenant FROM "{{tables.users}}" WHERE name LIKE sqlc.arg(prefix)::text || '%' ORDER BY id;

-- name: TitlesOf :many
SELECT "{{tables.posts}}".title FROM "{{tables.posts}}" JOIN "{{tables.users}}" ON "{{tables.users}}".id = "{{tables.posts}}".user_id
WHERE "{{tables.users}}".email = $1 ORDER BY "{{tables.posts}}".id;

-- name: RenameUser :execrows
UPDATE "{{tables.users}}" SET name = $2 WHERE id = $1;

-- name: DeletePosts :exec
DELETE FROM "{{tables.posts}}" WHERE id = ANY(sqlc.arg(ids)::bigint[]);

-- name: DeleteUsers :exec
DELETE FROM "{{tables.users}}" WHERE id = ANY(sqlc.arg(ids)::bigint[]);
