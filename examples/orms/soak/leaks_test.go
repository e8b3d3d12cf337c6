//go:build soak_leaks

package soak_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fault is a change of the driver's source that takes away something that keeps tenants apart.
type fault struct {
	name   string
	file   string      // in the module
	edits  [][2]string // texts that stand there once, and what takes their place
	setups []setup     // where the soak test must find it: elsewhere something else does the same
}

var faults = []fault{
	{
		"a session with something of a schema in it is used again", "driver/conn.go",
		[][2]string{{"\tif bound || c.connector.pooled {\n\t\tc.left", "\tif c.left == leftNothing {\n\t\treturn\n\t}\n\tif bound || c.connector.pooled {\n\t\tc.left"}},
		[]setup{{}, {path: true}},
	},
	{
		"an *sql.Stmt stays in the first schema", "driver/stmt.go",
		[][2]string{{"\tif b == nil {\n\t\tb = schemactx.Choose(schemactx.Of(ctx), s.conn.bound)\n\t}\n",
			"\tif b == nil {\n\t\tb = schemactx.Choose(schemactx.Of(ctx), s.conn.bound)\n\t\ts.fixed = b\n\t}\n"}},
		[]setup{{}},
	},
	{
		"no statement sets its path", "driver/switch.go",
		[][2]string{{"\tif p == nil || info.NoNames {\n", "\tif p != nil || info.NoNames {\n"}},
		[]setup{{path: true}, {path: true, pooled: true}},
	},
	{
		"a path whose schema does not exist goes on to public", "internal/pathsql/pathsql.go",
		[][2]string{
			{`valueToUse   = "CASE WHEN " + usable + " THEN $1::text ELSE " + refused + " END"`, `valueToUse   = "$1::text || left($2, 0)"`},
			{`{ return w.Schema != "" && !w.Creates }`, `{ return false }`},
		},
		[]setup{{path: true}, {path: true, pooled: true}},
	},
}

// TestSoakFindsLeaks runs the soak test on drivers with a fault. Each time it must find a row, or a temporary table, of somebody else
// within seconds.
func TestSoakFindsLeaks(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			program := f.build(t)
			for _, s := range f.setups {
				run := "^TestSoak$/^" + strings.ReplaceAll(s.String(), " ", "_") + "$"
				output, err := exec.CommandContext(t.Context(), program, "-test.run", run, "-soak.time", "2s").CombinedOutput()
				found := strings.Contains(string(output), "LEAK") || strings.Contains(string(output), "42P07") // a table of somebody else is there already
				if err == nil || !found {
					t.Errorf("%s: nothing was found: %v\n%s", s, err, output)
				}
			}
		})
	}
}

// build builds this test on the driver with the fault.
func (f fault) build(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", filepath.FromSlash(f.file)))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for _, edit := range f.edits {
		if strings.Count(text, edit[0]) != 1 {
			t.Fatalf("%s has not once the text %q: the test is out of date", f.file, edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	broken, overlay := filepath.Join(dir, "broken.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{broken: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "soak.test")
	if output, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}
