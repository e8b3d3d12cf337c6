package sqllex

// WordFilter tells which words [Lexer.Skim] stops at. It looks only at a word's length and its first, middle and last
// letter, so it stops at others too: compare with [Equal]. A filter is made once, with [NewWordFilter], and is safe
// for concurrent use.
type WordFilter struct {
	lengths [1 << 10]uint32 // by the three letters: bit n is set for words of n bytes
}

// NewWordFilter makes a filter that passes the given words, whatever their case. A word is at most 31 bytes long,
// and of ASCII letters and underscores.
func NewWordFilter(words ...string) *WordFilter {
	f := new(WordFilter)
	for _, w := range words {
		f.lengths[letters(w)] |= 1 << len(w)
	}
	return f
}

// Has reports whether word, which is not empty, may be one of the filter's; false is certain.
func (f *WordFilter) Has(word string) bool {
	return f.lengths[letters(word)]>>(uint(len(word))&31)&1 != 0
}

// letters makes a number of the five low bits of a word's first, middle and last byte, which do not depend on a
// letter's case.
func letters(word string) int {
	return int(word[0]&31)<<5 ^ int(word[len(word)/2]&31)<<2 ^ int(word[len(word)-1]&31)
}

// Equal reports whether word is keyword, whatever the case of word. Keyword is in lower case and ASCII. PostgreSQL
// folds only ASCII letters when it looks for keywords (ScanKeywordLookup), and so does Equal.
func Equal(word, keyword string) bool {
	if len(word) != len(keyword) {
		return false
	}
	for i := range len(word) {
		c := word[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != keyword[i] {
			return false
		}
	}
	return true
}

// OneOf reports whether word is one of the keywords, as [Equal] does.
func OneOf(word string, keywords ...string) bool {
	for _, k := range keywords {
		if Equal(word, k) {
			return true
		}
	}
	return false
}
