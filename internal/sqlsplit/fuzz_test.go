package sqlsplit_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// FuzzSplit checks what holds whatever the text: see checkPieces and checkAgain.
func FuzzSplit(f *testing.F) {
	for _, tt := range allCases() {
		f.Add(tt.text)
	}
	for _, tt := range badTexts {
		f.Add(tt.text)
	}
	files, _ := filepath.Glob(filepath.Join("testdata", "*.sql"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(string(text))
		}
	}
	f.Fuzz(checkText)
}

// words are what TestRandomTokens makes texts of.
var words = strings.Split("SELECT 1 a CREATE OR REPLACE FUNCTION PROCEDURE BEGIN ATOMIC BEGIN ATOMIC END; END CASE COPY t FROM stdin stdout TO "+
	"COPY\tt\tFROM\tstdin;\n COPY\tt\tFROM\tstdin;\r\n \n\\. \n\\.\n \\. \\ \\restrict\tx\n \\unrestrict \\c ( ) ; ; ; ' '' 'a;' E' U&\" \" \\' $$ $x$ a$x$ $1 "+
	"-- --;\n /* */ /*;*/ / * - , . : \ufeff ä \xff COMMIT; BEGIN; START TRANSACTION PREPARE {{ << {{tables.x}}", " ")

// TestRandomTokens checks what FuzzSplit does with texts that look more like SQL.
func TestRandomTokens(t *testing.T) {
	t.Parallel()
	const texts, seed = 30_000, 1
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		text := ""
		for range 1 + r.IntN(16) {
			text += words[r.IntN(len(words))] + []string{"", " ", " ", " ", "\n", "\r\n"}[r.IntN(6)]
		}
		checkText(t, text)
		if t.Failed() {
			t.Fatalf("seed %d, %d: %q", seed, i, text)
		}
	}
}

func checkText(t *testing.T, text string) {
	pieces, err := sqlsplit.Split(text)
	if err != nil {
		checkError(t, text, err)
		return
	}
	checkPieces(t, text, pieces)
	checkAgain(t, text, pieces)
	if _, _, _, err := sqlsplit.OuterTransaction(text, pieces); err != nil {
		checkError(t, text, err)
	}
	for _, p := range pieces {
		if p.Control() != sqllex.NoControl && (p.Kind != sqlsplit.Statement || p.Keyword() == "") {
			t.Errorf("%+v of %q controls a transaction", p, text)
		}
	}
	// A text that can be split takes nothing of what follows, unless that would be rows.
	if n := len(pieces); n > 0 && pieces[n-1].Kind == sqlsplit.CopyData && pieces[n-1].BodyStart+len(pieces[n-1].Body) == len(text) {
		return
	}
	more, err := sqlsplit.Split(text + "\n;VACUUM")
	if err != nil || more[len(more)-1].Body != "VACUUM" {
		t.Errorf("%q swallows what follows: %v", text, err)
	}
}

// checkAgain splits each piece again, COPY with its rows: it has to stay whole.
func checkAgain(t *testing.T, text string, pieces []sqlsplit.Piece) {
	for i, p := range pieces {
		if p.Kind == sqlsplit.CopyData || p.Start > 0 && strings.HasPrefix(p.Text, "\ufeff") {
			continue // a BOM is one only at the start of a text
		}
		isCopy := slices.ContainsFunc(pieces, func(rows sqlsplit.Piece) bool { return rows.Kind == sqlsplit.CopyData && rows.Copy == p.BodyStart })
		if rowsFollow := i+1 < len(pieces) && pieces[i+1].Kind == sqlsplit.CopyData; rowsFollow != isCopy || rowsFollow && pieces[i+1].Copy != p.BodyStart {
			continue // there are others on the line of COPY
		}
		alone, want := p.Text, []sqlsplit.Piece{p}
		if i+1 < len(pieces) && pieces[i+1].Kind == sqlsplit.CopyData {
			alone, want = alone+pieces[i+1].Text, append(want, pieces[i+1])
		}
		again, err := sqlsplit.Split(alone)
		same := slices.EqualFunc(again, want, func(a, b sqlsplit.Piece) bool {
			return a.Kind == b.Kind && a.Text == b.Text && a.Body == b.Body && a.Start == b.Start-p.Start && a.BodyStart == b.BodyStart-p.Start
		})
		if err != nil || !same {
			t.Errorf("the piece %+v of %q is split into %+v, %v", p, text, again, err)
		}
	}
}

func checkError(t *testing.T, text string, err error) {
	var e *sqlsplit.Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: error %v", text, err)
	}
	line, column := sqlsplit.Position(text, e.Offset)
	if e.Offset < 0 || e.Offset >= len(text) || e.Line != line || e.Column != column || e.Reason == "" || !strings.HasPrefix(text[e.Offset:], e.Command) {
		t.Fatalf("%q: error %+v", text, e)
	}
}
