package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What a release or a registry says cannot drive the terminal or fake a line.
func TestPrintable(t *testing.T) {
	if got, want := Printable("a\x1b[31mb\r\u202ec\n\td\u00e9"), "a\\u001b[31mb\\u000d\\u202ec\n\td\u00e9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var out bytes.Buffer
	Table(&out, "", [][]string{{"a\nb", "c"}, {"d", "e"}})
	if got, want := out.String(), "a\\nb  c\nd     e\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Foreign text is one line, as an argument of any kind.
func TestLine(t *testing.T) {
	if got, want := Line("a %s, %v: %d", "b\nc", errors.New("d\r\ne\u2028f"), 7), "a b\\nc, d\\r\\ne\\u2028f: 7\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type result struct {
	Name  string            `json:"name"`
	Time  *string           `json:"time"`
	Empty []string          `json:"empty"`
	Odd   map[string]string `json:"odd"`
	Ref   string            `json:"ref"`
}

// YAML holds what JSON holds, and neither anything that a terminal would act on.
func TestFormatsSayTheSame(t *testing.T) {
	odd := map[string]string{}
	for _, s := range []string{
		"plain", "true", "null", "1.5", "0x10", "2024-01-01", "", " lead", "trail ", "a: b", "# no comment", "- item", "'", "\"", "\\", "<&>", "é", "日本", "\t", "a\nb", "a\nb\n", "~", "*", "&a", "!x", "%", "@", "`", "{}", "[]", "y", "on",
		"\x1b[31m", "\r", "\x00", "\x7f", "\u009b2J", "\u0085", "\u202e", "\u2028", "\ufeff", "a\n\u202eb",
	} {
		odd["k"+s], odd[s] = s, s
	}
	v := result{Name: "etcd\u009b2J\u202e", Empty: []string{}, Odd: odd, Ref: strings.Repeat("quay.io/a/b ", 40)}
	var j, y bytes.Buffer
	if err := errors.Join(Write(&j, JSON, v, nil), Write(&y, YAML, v, nil)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"json": j.String(), "yaml": y.String()} {
		if strings.ContainsFunc(s, unprintable) {
			t.Errorf("%s holds something unprintable: %q", name, s)
		}
	}
	var fromJSON, fromYAML any
	if err := errors.Join(json.Unmarshal(j.Bytes(), &fromJSON), yaml.Unmarshal(y.Bytes(), &fromYAML)); err != nil {
		t.Fatalf("%v\n%s", err, y.String())
	}
	a, _ := json.Marshal(fromJSON)
	b, _ := json.Marshal(fromYAML)
	if string(a) != string(b) {
		t.Errorf("YAML says\n%s\nand JSON\n%s\n%s", b, a, y.String())
	}
	if !strings.HasPrefix(y.String(), "name: ") || !strings.Contains(y.String(), "empty: []") || !strings.Contains(y.String(), "time: null") {
		t.Errorf("not in block style:\n%s", y.String())
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrors(t *testing.T) {
	for _, f := range []Format{Text, JSON, YAML, JUnit} {
		if err := Write(fullDisk{}, f, 1, func(io.Writer) {}); err == nil {
			t.Errorf("%s: no error", f)
		}
	}
}

// Templates see what JSON has. A name that is not there is an error.
func TestTemplates(t *testing.T) {
	v := map[string]any{"name": "a\u202eb", "size": 12345678901, "list": []map[string]any{{"n": 1, "size": 10}, {"n": 2, "size": 20}}}
	for f, want := range map[Format]string{
		"jsonpath={.name}":                      "a\\u202eb\n",
		"jsonpath=.size":                        "12345678901\n",
		"jsonpath={.list[?(@.size>15)].n}":      "2\n",
		"go-template={{len .list}}":             "2\n",
		"go-template={{.size}}":                 "12345678901\n",
		"go-template={{gt .size 3}}{{\"\\n\"}}": "true\n",
	} {
		var out bytes.Buffer
		if err := errors.Join(f.Check(), Write(&out, f, v, nil)); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v, want %q", f, out.String(), err, want)
		}
	}
	for _, f := range []Format{"jsonpath={.nothing}", "go-template={{.nothing}}"} {
		if err := Write(io.Discard, f, v, nil); err == nil || f.Check() != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	for _, f := range []Format{"jsonpath={.name", "go-template={{.name", "jsonpath", "xml"} {
		if err := f.Check(); err == nil {
			t.Errorf("%s: no error", f)
		}
	}
}
