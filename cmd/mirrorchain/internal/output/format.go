package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Format is the value of --output; "" is [Text].
type Format string

// The formats. Every result has the first three, and templates, see [JSONPath]. What else a
// command offers is a [Formatter]'s.
const (
	Text     Format = "text"
	JSON     Format = "json"
	YAML     Format = "yaml"
	JUnit    Format = "junit"
	Markdown Format = "markdown"
	HTML     Format = "html"
	// MirrorList is what 'oc image mirror -f' reads.
	MirrorList Format = "mirror-list"
	// ImageSet is what oc-mirror reads.
	ImageSet Format = "image-set"
)

// Formatter is a result with formats of its own.
type Formatter interface {
	// Format returns the result in a format that the command offers.
	Format(f Format) ([]byte, error)
}

// JUnitReport is a result that can be written as a JUnit report.
type JUnitReport interface {
	// JUnit returns the report as XML.
	JUnit() ([]byte, error)
}

// String returns the format's name.
func (f *Format) String() string {
	if *f == "" {
		return string(Text)
	}
	return string(*f)
}

// Set takes any name: which formats there are depends on the command, see [Format.Check].
func (f *Format) Set(s string) error {
	*f = Format(s)
	return nil
}

// Type names the flag's value in help texts.
func (*Format) Type() string { return "FORMAT" }

// IsText reports whether a person reads the result.
func (f *Format) IsText() bool { return *f == "" || *f == Text }

// Check returns an error if f is neither text, json, yaml or a template, nor one of more.
func (f *Format) Check(more ...Format) error {
	offered := append([]Format{Text, JSON, YAML}, more...)
	offered = append(offered, JSONPath, GoTemplate)
	if *f == "" || slices.Contains(offered[:len(offered)-2], *f) {
		return nil
	}
	if fill, err := f.template(); fill != nil || err != nil {
		return err
	}
	var names []string
	for _, o := range offered {
		if strings.HasSuffix(string(o), "=") {
			o += "..."
		}
		names = append(names, string(o))
	}
	last := len(names) - 1
	return fmt.Errorf("want %s or %s", strings.Join(names[:last], ", "), names[last])
}

// Write writes v to w, as text by the function text. It writes in one piece: who
// reads w gets all of the result or nothing.
func Write(w io.Writer, f Format, v any, text func(io.Writer)) error {
	var out []byte
	var err error
	switch f {
	case JSON:
		out, err = encodeJSON(v)
	case YAML:
		out, err = encodeYAML(v)
	case JUnit:
		report, ok := v.(JUnitReport)
		if !ok {
			return errors.New("this result has no JUnit report")
		}
		out, err = report.JUnit()
		out = escape(out, "&#x%x;")
	default:
		if fill, badTemplate := f.template(); fill != nil || badTemplate != nil {
			if err = badTemplate; err == nil {
				out, err = fillIn(fill, v)
			}
			break
		}
		if own, ok := v.(Formatter); ok && !f.IsText() {
			out, err = own.Format(f)
			out = escape(out, `\u%04x`)
			break
		}
		var t textWriter
		text(&t)
		out = t.b.Bytes()
	}
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// encodeJSON encodes v. What the encoder leaves as it is and a terminal would act on
// is escaped in JSON's own way.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escape(b.Bytes(), `\u%04x`), nil
}

// encodeYAML encodes what encodeJSON does, in the same order. A text with characters
// to escape is double-quoted, because only such texts have escapes.
func encodeYAML(v any) ([]byte, error) {
	j, err := encodeJSON(v)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(j, &doc); err != nil {
		return nil, err
	}
	restyle(&doc)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, err
	}
	return escape(b.Bytes(), `\u%04x`), nil
}

// restyle turns JSON's braces and quotes into YAML's block style.
func restyle(n *yaml.Node) {
	empty := len(n.Content) == 0
	switch {
	case n.Kind == yaml.ScalarNode && hasUnprintable(n.Value):
		n.Style = yaml.DoubleQuotedStyle
	case n.Kind == yaml.ScalarNode || !empty:
		n.Style = 0
	}
	for _, c := range n.Content {
		restyle(c)
	}
}
