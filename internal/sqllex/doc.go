// Package sqllex splits SQL text into tokens, with the boundaries that PostgreSQL's own scanner gives them.
//
// It follows src/backend/parser/scan.l of PostgreSQL and the chapter "Lexical Structure" of its manual:
//
//   - comments: -- to the end of the line (LF or CR), and /* ... */, which nests;
//   - strings: '...', E'...' with backslash escapes, U&'...', B'...', X'...', N'...', each with its continuation
//     lines ('a', a line break, 'b' is one literal; if the first line is E'...', the next ones know backslashes too);
//   - "..." and U&"..." identifiers;
//   - $$...$$ and $tag$...$tag$ strings; a$x$ is an identifier, and 1$$x$$ a number and a string;
//   - $1 parameters, and identifiers of letters, digits, _, $ and all bytes above 0x7f;
//   - numbers as PostgreSQL 15 and later read them: 0xff, 1_000 and 1e10 do not end in a letter by accident.
//
// Two assumptions are the caller's to check: the server runs with standard_conforming_strings=on (a backslash in
// '...' means itself), and the text is in an encoding whose multi-byte characters hold no ASCII bytes, as in UTF-8.
//
// There are no errors. A string or a comment without an end reaches to the end of the text, and the server says
// what is wrong with it.
//
// # Two speeds
//
// [Lexer.Next] returns every token. [Lexer.Skim] passes over punctuation, numbers and every word that is not in a
// given [WordFilter], in a loop of its own: most callers look for a few words in a long text, and a function call for
// each word would cost more than the work.
//
// A Lexer is a small value. Copying it is the way to look ahead.
package sqllex
