package migfile

import (
	"strings"
	"testing"
)

// TestChecksum compares with what the Python library computes: the file opened as UTF-8 text, and then
// hashlib.sha256(text.strip().encode()).hexdigest().
func TestChecksum(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"a template is not expanded": {
			"CREATE TABLE {{tables.users}} (id int);\n", "f9c1c2646a8334c8ddb9035dc90a8b3598069d7abc15abb8dbbdcbabebfa8b04"},
		"CRLF and lone CR": {"\r\n  CREATE TABLE a (id int);\r\nSELECT 1;\r\rSELECT 2;\n\r\n",
			"575d2a8147ac8baf359eda70b759900a0c103b2a55a41ef596d2a47c076610be"},
		"a BOM counts, and keeps the line end behind it": {"\ufeff\nSELECT 1;\n",
			"43457d72d3adf4b445493c654dd652a0280996c7696966a7b49b68b431507d54"},
		"Python's white space, and U+200B, which is none": {
			"\u00a0\u3000\x1c\x1d\x1e\x1f\u0085\u1680\u2000\u200a\u2028\u2029\u202f\u205f\x0b\x0c SELECT 'é';\u200b\n",
			"7be993619cfb3fea9357d06dcb8721035186f5020a346c779fa2e69b9485f7c2"},
		"beyond the basic plane": {"SELECT '😀';", "b0981a140eaee0d62f8b372d991e670cd36ae3bf27a5e8fe9496f4099556db1b"},
	} {
		if got := Checksum(test.text); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// TestPythonSpace compares with all characters for which str.isspace is true.
func TestPythonSpace(t *testing.T) {
	t.Parallel()
	const spaces = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680" +
		"\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
	for r := rune(0); r <= 0x10ffff; r++ {
		if got, want := isPythonSpace(r), strings.ContainsRune(spaces, r) && r != 0xfffd; got != want {
			t.Errorf("%U: %v", r, got)
		}
	}
}

func TestGoChecksum(t *testing.T) {
	t.Parallel()
	if a, b := functionChecksum(1, "fill"), functionChecksum(1, "fill"); a != b || len(a) != 64 {
		t.Errorf("%q, %q", a, b)
	}
	if functionChecksum(1, "fill") == functionChecksum(2, "fill") || functionChecksum(1, "fill") == functionChecksum(1, "empty") {
		t.Error("it does not depend on version and name")
	}
}
