package migfile

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// markedFiles are files of other tools with a migration and its undo, what the refused line begins with, and the tool.
var markedFiles = []struct{ text, line, tool string }{
	{"-- +goose Up\n-- +goose StatementBegin\nA;\n-- +goose StatementEnd\n-- +goose Down\nB;", "-- +goose Up", "goose"},
	{"--+goose NO TRANSACTION\n--+goose Up\nA;", "--+goose NO", "goose"},
	{"-- +migrate Up notransaction\nA;\n-- +migrate Down\nB;", "-- +migrate Up", "sql-migrate"},
	{"-- +micrate Up\nA;\n-- +micrate Down\nB;", "-- +micrate Up", "micrate"},
	{"-- migrate:up\nA;\n-- migrate:down transaction:false\nB;", "-- migrate:up", "dbmate"},
	{"A;\n---- create above / drop below ----\nB;", "---- create", "tern"},
	{"-- Up Migration\nA;\n\n-- Down Migration\nB;", "-- Down", "node-pg-migrate"},
	{"--- up migration\nA;\n--- - down migration\nB;", "--- - down", "node-pg-migrate"},
	{"-- // First migration.\n-- Migration SQL that makes the change goes here.\nA;\n\n-- //@UNDO\n-- SQL to undo the change goes here.\nB;", "-- //@UNDO", "MyBatis"},
	{"A;\n--//@UNDO \nB;", "--//@UNDO", "MyBatis Migrations and dbdeploy"},
	{"-- Users schema\n\n-- !Ups\nA;\n-- !Downs\nB;", "-- !Downs", "Play"},
	{"# --- !Ups\nA;\n# --- !Downs\nB;", "--- !Downs", "Play"},
	{"-- rambler up\nA;\n-- rambler down\nB;", "-- rambler down", "rambler"},
	{"-- ==== UP ====\nA;\n-- ==== DOWN ====\nB;", "-- ==== DOWN", "other migration tools"},    // shmig
	{"-----\n-- Up\n-----\nA;\n-----\n-- Down\n-----\nB;", "-- Down", "other migration tools"}, // migration-files, node-sqlite
	{"A;\n-- DOWN ==\nB;", "-- DOWN ==", "other migration tools"},                              // soma-schema
	{"--;; up\nA;\n--;; down\nB;", "--;; down", "other migration tools"},                       // of Clojure
	{"-- @Up()\nA;\n-- @Down()\nB;", "-- @Down", "other migration tools"},                      // of Dart
	{"-- migrate: up\nA;\n-- migrate: down\nB;", "-- migrate: down", "other migration tools"},  // migretti
	{"-- !UP\nA;\n--!DOWN\nB;", "--!DOWN", "Play"},
	{"--@migrationQuery\nA;\n--@rollbackQuery\nB;", "--@rollbackQuery", "other migration tools"},
	{"-- UP\nA;\n-- SPLIT --\n-- down\nB;", "-- down", "other migration tools"},
	{"-- Up script:\nA;\n-- Down script:\nB;", "-- Down script", "other migration tools"},
	{"A;\n  -- Rollback\r\nB;", "-- Rollback", "other migration tools"},
	{"A;\n-- *** ROLL BACK ***\n-- as it was\nB;", "-- *** ROLL", "other migration tools"},
	{"A;\n-- [undo]\nB;", "-- [undo]", "other migration tools"},
	{"A;\n-- REVERT\n/* b */ B;", "-- REVERT", "other migration tools"},
	{"A;\n/* DOWN */\nB;", "/* DOWN", "other migration tools"},
	{"A;\n/*\n * Rollback section\n */\nB;", "/*", "other migration tools"},
	{"BEGIN;\nA;\nCOMMIT;\n-- Down\nBEGIN;\nB;\nCOMMIT;", "-- Down", "other migration tools"},
	{"COPY a FROM stdin;\n-- down\n\\.\n-- down\nB;", "-- down\nB", "other migration tools"},
}

// TestMarkers wants an error for files whose migration and undo are in one text, because both would run.
func TestMarkers(t *testing.T) {
	t.Parallel()
	for _, test := range markedFiles {
		_, err := NewScript("sql/001_a.sql", []byte(test.text))
		var e *Error
		line := strings.Count(test.text[:strings.LastIndex(test.text, test.line)], "\n") + 1
		if !errors.As(err, &e) || e.Line != line || !strings.Contains(e.Reason, "a command to "+test.tool) {
			t.Errorf("%q: %v, want %s on line %d", test.text, err, test.tool, line)
			continue
		}
		for _, part := range []string{"001_a.up.sql", "001_a.down.sql", "remove the line", ignoreMarkers} {
			if !strings.Contains(e.Reason, part) {
				t.Errorf("%q: %v, want in it %q", test.text, err, part)
			}
		}
		if !strings.HasPrefix(test.text, "BEGIN") { // two of them are refused anyway
			mustScript(t, test.text+"\n"+ignoreMarkers)
		}
	}
}

// TestNoMarkers has comments that only look like markers, or where nothing follows that could do harm.
func TestNoMarkers(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"A;\n-- roll back the changes of 003 if it fails\nB;", "-- update the names\nB;", "-- Up to here\nB;", "-- downstream tables\nB;",
		"-- Revert #123\nB;", "-- rollback of 003\nB;", "-- up and down\nB;", "-- Up / Down\nB;", "-- step 2 down\nB;", "-- backup\nB;", "-- ----\nB;",
		"-- migration\nB;", "-- DOWNSTREAM\nB;", "-- To rollback:\nB;", "/* goose */ -- goose\nB;", "-- +gooseUp\nB;", "-- Down, as far as it goes\nB;",
		"-- Up Migration\nA;", "-- Up Migration\nA;\n\n-- Down Migration\n", "A;\n-- Rollback\n-- DROP TABLE a;\n/* and b */\n", "BEGIN;\nA;\n-- Undo\n-- B;\nCOMMIT;",
		"A; -- down\nB;", "CREATE TYPE d AS ENUM (\n-- up\n'up',\n-- down\n'down');", "A;\n/* down */ B;", "A\n-- down\nB;",
		"SELECT '\n-- +goose Down\n';\nB;", "DO $$\nBEGIN\n-- Rollback\nEND $$;\nB;", "COPY a FROM stdin;\n-- down\n\\.\nB;", "SELECT \"\n-- down\n\";\nB;",
		"--liquibase formatted sql\n--changeset a:1\nA;\n--rollback DROP TABLE a;\n--changeset a:2\nA;\n--rollback\n--changeset a:3\nA;",
	} {
		if _, err := NewScript("001_a.sql", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestMarkersOfAnUndo wants the title of an undo to be no marker, and that of a migration in there to be one.
func TestMarkersOfAnUndo(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{
		"-- Rollback\nB;": false, "-- Down Migration\nB;": false, "-- Down\nB;\n-- Up\nA;": true, "-- Up Migration\nA;\n-- Down Migration\nB;": true,
		"-- up\n-- down\n": false, "-- +goose Down\nB;": true,
	} {
		s := &Script{File: "001_a.down.sql", undo: true}
		if err := s.load([]byte("SELECT 1;\n" + text)); (err != nil) != refused {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestMarkersOfACase is the file that was reported.
func TestMarkersOfACase(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/04_up_down_markers.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewScript("04_up_down_markers.sql", text)
	var e *Error
	if !errors.As(err, &e) || e.Line != 4 || !strings.Contains(e.Reason, "node-pg-migrate") {
		t.Errorf("%v", err)
	}
}
