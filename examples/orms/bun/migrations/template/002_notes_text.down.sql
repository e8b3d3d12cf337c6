DROP INDEX {{tables.notes_text}};
