package main

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// ErrNotFound says that there is no such note.
var ErrNotFound = errors.New("no such note")

// Note is what somebody has written.
type Note struct {
	ID      int64     `json:"id"`
	Author  string    `json:"author"`
	Text    string    `json:"text"`
	Written time.Time `json:"written"`
}

// Notes is where the notes are. It is written as for a database that has one table of them; whose table that is, the context
// of each call decides.
type Notes struct {
	db *sql.DB
}

// Add keeps a note, and returns it with its number.
func (n *Notes) Add(ctx context.Context, author, text string) (Note, error) {
	note := Note{Author: author, Text: text}
	err := n.db.QueryRowContext(ctx, "INSERT INTO notes (author, text) VALUES ($1, $2) RETURNING id, written", author, text).
		Scan(&note.ID, &note.Written)
	return note, err
}

// List returns the last hundred notes, the newest first.
func (n *Notes) List(ctx context.Context) ([]Note, error) {
	rows, err := n.db.QueryContext(ctx, "SELECT id, author, text, written FROM notes ORDER BY id DESC LIMIT 100")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	notes := []Note{} // and not nil, which is null in JSON
	for rows.Next() {
		var note Note
		if err := rows.Scan(&note.ID, &note.Author, &note.Text, &note.Written); err != nil {
			return nil, err
		}
		notes = append(notes, note)
	}
	return notes, rows.Err()
}

// Delete removes a note. If there is none, the error is [ErrNotFound].
func (n *Notes) Delete(ctx context.Context, id int64) error {
	result, err := n.db.ExecContext(ctx, "DELETE FROM notes WHERE id = $1", id)
	if err != nil {
		return err
	}
	return foundAny(result.RowsAffected())
}

// Move makes all notes of one author another's, and keeps a record of that: both, or neither. It returns how many there
// were. If there were none, the error is [ErrNotFound].
func (n *Notes) Move(ctx context.Context, from, to string) (int64, error) {
	tx, err := n.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // which does nothing after Commit

	result, err := tx.ExecContext(ctx, "UPDATE notes SET author = $2 WHERE author = $1", from, to)
	if err != nil {
		return 0, err
	}
	moved, err := result.RowsAffected()
	if err := foundAny(moved, err); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO moves (moved_from, moved_to, notes) VALUES ($1, $2, $3)", from, to, moved)
	if err != nil {
		return 0, err
	}
	return moved, tx.Commit()
}

// foundAny takes what RowsAffected returns.
func foundAny(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}
