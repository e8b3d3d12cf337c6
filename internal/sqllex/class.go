package sqllex

// A byte's class decides how the token that starts with it is read.
const (
	classPunct   = iota // a token by itself, and no reader of Skim wants it
	classSpace          // white space (\v since PostgreSQL 16)
	classWord           // starts an identifier: letters, _, and everything above ASCII (ident_start in scan.l)
	classDigit          // 0 to 9
	classSpecial        // needs a look at the next byte: see special
)

// class and wordByte are tables because they are looked up for every byte of every text; nothing writes to them.
var (
	class    = classes()
	wordByte = wordBytes() // continues an identifier (ident_cont)
)

func classes() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case isLetter(c), c == '_', c >= 0x80:
			t[i] = classWord
		case c >= '0' && c <= '9':
			t[i] = classDigit
		case c == ' ', c >= '\t' && c <= '\r':
			t[i] = classSpace
		}
	}
	for _, c := range []byte(`'"$;-/{<&`) {
		t[c] = classSpecial
	}
	return t
}

func wordBytes() (t [256]bool) {
	for i, c := range classes() {
		t[i] = c == classWord || c == classDigit || i == '$'
	}
	return t
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// IsWordByte reports whether c can continue an identifier, so that two tokens meeting there become one.
func IsWordByte(c byte) bool { return wordByte[c] }
