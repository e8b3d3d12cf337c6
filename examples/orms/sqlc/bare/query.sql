-- name: AddUser :one
INSERT INTO users (email, name) VALUES ($1, $2) RETURNING id;

-- name: AddPost :one
INSERT INTO posts (user_id, title) VALUES ($1, $2) RETURNING id;

-- name: User :one
SELECT * FROM users WHERE id = $1;

-- name: TenantsOfUsers :many
SELECT tenant FROM users WHERE name LIKE sqlc.arg(prefix)::text || '%' ORDER BY id;

-- name: TitlesOf :many
SELECT posts.title FROM posts JOIN users ON users.id = posts.user_id
WHERE users.email = $1 ORDER BY posts.id;

-- name: RenameUser :execrows
UPDATE users SET name = $2 WHERE id = $1;

-- name: DeletePosts :exec
DELETE FROM posts WHERE id = ANY(sqlc.arg(ids)::bigint[]);

-- name: DeleteUsers :exec
DELETE FROM users WHERE id = ANY(sqlc.arg(ids)::bigint[]);
