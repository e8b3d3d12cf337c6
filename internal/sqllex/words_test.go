package sqllex_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

func TestWordFilterPassesItsWords(t *testing.T) {
	t.Parallel()
	filter := sqllex.NewWordFilter("of", "set_config", "a_word_of_exactly_31_characters")
	for _, word := range []string{"of", "OF", "oF", "set_config", "SET_Config", "a_word_of_exactly_31_characters"} {
		if !filter.Has(word) {
			t.Errorf("Has(%q) = false", word)
		}
	}
	for _, word := range []string{"o", "off", "fo", "set", "a", "ü", "\xff"} {
		if filter.Has(word) {
			t.Errorf("Has(%q) = true", word)
		}
	}
	if sqllex.NewWordFilter().Has("of") {
		t.Error("an empty filter passes a word")
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		word, keyword string
		want          bool
	}{
		{"select", "select", true},
		{"SeLeCt", "select", true},
		{"selec", "select", false},
		{"selects", "select", false},
		{"", "select", false},
		{"", "", true},
		{"SET_CONFIG", "set_config", true},
		{"SET\x1fCONFIG", "set_config", false}, // 0x1f is _ without the bit that makes letters small
		{"like", "like", true},
		{"li\u212ae", "like", false}, // the Kelvin sign, whose lower case is k
		{"\u017fet", "set", false},   // a long s
	} {
		if got := sqllex.Equal(tt.word, tt.keyword); got != tt.want {
			t.Errorf("Equal(%q, %q) = %v", tt.word, tt.keyword, got)
		}
	}
}

func TestOneOf(t *testing.T) {
	t.Parallel()
	if !sqllex.OneOf("SHARE", "update", "share") {
		t.Error("SHARE is not found")
	}
	if sqllex.OneOf("key", "update", "share") || sqllex.OneOf("key") {
		t.Error("key is found")
	}
}

func TestIsWordByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		// The scanner agrees: two bytes of an identifier in a row are one token.
		text := "a" + string([]byte{byte(c)}) + "a"
		l := sqllex.Lexer{Text: text}
		if one := l.Next().End == len(text); sqllex.IsWordByte(byte(c)) != one {
			t.Errorf("IsWordByte(%q) = %v", c, !one)
		}
	}
}
