package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"k8s.io/client-go/util/jsonpath"
)

// What formats start with that are filled in with the result's JSON, as for kubectl.
const (
	JSONPath   Format = "jsonpath="
	GoTemplate Format = "go-template="
)

// filler writes a result's JSON, decoded, in the words of a template.
type filler func(result any) ([]byte, error)

// template returns the filler of a format that is a template, nil for one that is none.
// Its errors are about the template alone.
func (f *Format) template() (filler, error) {
	if text, ok := strings.CutPrefix(string(*f), string(JSONPath)); ok {
		if !strings.HasPrefix(text, "{") { // kubectl allows it too
			text = "{" + text + "}"
		}
		p := jsonpath.New("output")
		if err := p.Parse(text); err != nil {
			return nil, fmt.Errorf("%q is no JSONPath: %w", text, err)
		}
		return func(result any) ([]byte, error) {
			var b bytes.Buffer
			err := p.Execute(&b, result)
			return b.Bytes(), err
		}, nil
	}
	text, ok := strings.CutPrefix(string(*f), string(GoTemplate))
	if !ok {
		return nil, nil
	}
	t, err := template.New("output").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no template: %w", text, err)
	}
	return func(result any) ([]byte, error) {
		var b bytes.Buffer
		err := t.Execute(&b, result)
		return b.Bytes(), err
	}, nil
}

// fillIn writes v in the words of fill. What it names and v does not have is an error: a
// script would take nothing for an answer.
func fillIn(fill filler, v any) ([]byte, error) {
	j, err := encodeJSON(v)
	if err != nil {
		return nil, err
	}
	var result any
	d := json.NewDecoder(bytes.NewReader(j))
	d.UseNumber() // sizes are not to become 1e+09
	if err := d.Decode(&result); err != nil {
		return nil, err
	}
	out, err := fill(numbers(result))
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return escape(out, `\u%04x`), nil
}

// numbers returns v with the numbers that JSON has as numbers of Go, so that a template can
// compare them.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
