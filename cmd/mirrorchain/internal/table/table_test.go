package table

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func endpoints() *Table {
	t := &Table{Columns: []Column{{Title: "#", Cut: Never}, {Title: "ENDPOINT", Cut: Address}, {Title: "RESULT", Cut: Never}, {Title: "TIME", Right: true}, {Title: "WHY"}}}
	t.Add(Plain("1"), Plain("mirror-a.example.com/ocp"), Cell{"unreachable", Bad}, Plain("2ms"), Plain("connection refused"))
	t.Add(Plain("2"), Plain("mirror-b.example.com:5000/ocp"), Cell{"found", Good}, Plain("127ms"))
	t.Add(Plain("-"), Plain("quay.io/openshift-release-dev"), Cell{"blocked", NotAsked}, Plain(""), Plain("NeverContactSource (idms.yaml:7)"))
	return t
}

func text(t *Table, l Look) string {
	var out bytes.Buffer
	t.Write(&out, l)
	return out.String()
}

// The less room there is, the more is cut: explanations first, addresses last.
func TestWidths(t *testing.T) {
	for width, want := range map[int]string{
		200: `
#  ENDPOINT                       RESULT          TIME  WHY
1  mirror-a.example.com/ocp       ✗ unreachable    2ms  connection refused
2  mirror-b.example.com:5000/ocp  ✓ found        127ms
-  quay.io/openshift-release-dev  – blocked             NeverContactSource (idms.yaml:7)
`,
		80: `
#  ENDPOINT                       RESULT          TIME  WHY
1  mirror-a.example.com/ocp       ✗ unreachable    2ms  connection refused
2  mirror-b.example.com:5000/ocp  ✓ found        127ms
-  quay.io/openshift-release-dev  – blocked             NeverContactSource (idm…
`,
		60: `
#  ENDPOINT                       RESULT          TIME
1  mirror-a.example.com/ocp       ✗ unreachable    2ms
2  mirror-b.example.com:5000/ocp  ✓ found        127ms
-  quay.io/openshift-release-dev  – blocked
`,
		40: `
#  ENDPOINT                RESULT
1  mirror-a.example.com/…  ✗ unreachable
2  mirror-b.example.com:…  ✓ found
-  quay.io/openshift-rel…  – blocked
`,
	} {
		if got := text(endpoints(), Look{Terminal: true, Width: width}); got != want[1:] {
			t.Errorf("%d columns: got:\n%swant:%s", width, got, want)
		}
	}
}

// No line is wider than the terminal, whatever the cells hold.
func TestNothingIsTooWide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		l := Look{Terminal: true, Width: 40 + r.IntN(161), ASCII: r.IntN(2) == 0}
		tab := &Table{Indent: strings.Repeat(" ", r.IntN(4)), Columns: []Column{{Title: "#", Cut: Never}, {Title: "ADDRESS", Cut: Address}, {Title: "TO", Cut: Address}, {Title: "N", Right: true}, {Title: "WHY"}}}
		for i := range 1 + r.IntN(4) {
			word := func() Cell { return Cell{strings.Repeat("é", r.IntN(120)), State(r.IntN(4))} }
			tab.Add(Plain(fmt.Sprint(i)), word(), word(), word(), word())
		}
		got := text(tab, l)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > l.Width {
				t.Fatalf("%d columns, %d allowed: %s", n, l.Width, got)
			}
		}
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9]*m")

// Colours are those of the states, and take no room.
func TestColours(t *testing.T) {
	l := Look{Terminal: true, Width: 80}
	plain := text(endpoints(), l)
	l.Color = true
	coloured := text(endpoints(), l)
	for _, want := range []string{"\x1b[31m✗ unreachable\x1b[0m", "\x1b[32m✓ found\x1b[0m", "\x1b[33m– blocked\x1b[0m"} {
		if !strings.Contains(coloured, want) {
			t.Errorf("no %q in %q", want, coloured)
		}
	}
	if got := colours.ReplaceAllString(coloured, ""); got != plain {
		t.Errorf("got %q without colours, want %q", got, plain)
	}
}

// Colours of ours pass the writer of results; those in foreign texts do not, and neither
// make them lines.
func TestForeignTexts(t *testing.T) {
	const foreign = "\x1b[32mgood\x1b[0m\n✓ found\u202e"
	var out bytes.Buffer
	l := Look{Color: true}
	err := output.Write(&out, output.Text, nil, func(w io.Writer) {
		tab := &Table{Columns: []Column{{}, {}}}
		tab.Add(Cell{foreign, Bad}, Plain(foreign))
		tab.Write(w, l)
		l.Line(w, Cell{foreign, Good}, Plain(": "), Plain(foreign))
		fmt.Fprintln(w, strings.ReplaceAll(foreign, "\n", ""))
	})
	if err != nil {
		t.Fatal(err)
	}
	const escaped = `\u001b[32mgood\u001b[0m\n✓ found\u202e`
	want := "\x1b[31m✗ " + escaped + "\x1b[0m  " + escaped + "\n" +
		"\x1b[32m✓ " + escaped + "\x1b[0m: " + escaped + "\n" +
		strings.ReplaceAll(escaped, `\n`, "") + "\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

// Who reads the result decides how long a digest is.
func TestDigest(t *testing.T) {
	for _, c := range []struct {
		look   Look
		digest string
		want   string
	}{
		{Look{}, someDigest, someDigest},
		{Look{Terminal: true, Width: 60}, someDigest, "sha256:e3b0c44298fc…"},
		{Look{Terminal: true, Width: 59}, someDigest, "e3b0c44298fc…"},
		{Look{Terminal: true, Width: 60, ASCII: true}, someDigest, "sha256:e3b0c44298fc..."},
		{Look{Terminal: true, Full: true}, someDigest, someDigest},
		{Look{Terminal: true}, "4.17.3", "4.17.3"},
		{Look{Terminal: true}, "", ""},
	} {
		if got := c.look.Digest(c.digest); got != c.want {
			t.Errorf("%+v: %q, want %q", c.look, got, c.want)
		}
	}
}

func TestLookAt(t *testing.T) {
	for name, c := range map[string]struct {
		columns int
		env     map[string]string
		want    Look
	}{
		"usual":        {120, map[string]string{"LANG": "de_DE.UTF-8"}, Look{Terminal: true, Width: 120, Color: true}},
		"unknown":      {0, map[string]string{"LANG": "C.utf8"}, Look{Terminal: true, Width: 80, Color: true}},
		"no locale":    {80, nil, Look{Terminal: true, Width: 80, Color: true, ASCII: true}},
		"LC_ALL first": {80, map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, Look{Terminal: true, Width: 80, Color: true, ASCII: true}},
		"NO_COLOR":     {80, map[string]string{"LANG": "C.UTF-8", "NO_COLOR": "1"}, Look{Terminal: true, Width: 80}},
		"dumb":         {80, map[string]string{"LANG": "C.UTF-8", "TERM": "dumb"}, Look{Terminal: true, Width: 80}},
	} {
		if got := LookAt(c.columns, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// A table without heads, and a column that nothing is in.
func TestHeadless(t *testing.T) {
	tab := &Table{Indent: "  ", Columns: []Column{{}, {}, {}}}
	tab.Add(Plain("a"), Plain(""), Plain("b"))
	tab.Add(Plain("cc"))
	if got, want := text(tab, Look{}), "  a   b\n  cc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
