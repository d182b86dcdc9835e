package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonDocuments reads JSON values one after another, as jq writes them, into
// nodes like YAML's. JSON is nearly YAML, but not in a row, nor with every
// character and escape that JSON allows. It returns nil where data is not JSON
// to its end, with an error that says why if it begins like JSON; what begins so
// may still be YAML in flow style.
func jsonDocuments(where string, data []byte) ([]*yaml.Node, error) {
	start := bytes.TrimLeft(data, " \t\r\n")
	if len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return nil, nil
	}
	j := &jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	j.dec.UseNumber()
	var docs []*yaml.Node
	for {
		doc, err := j.value(0)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				j.advance(syntax.Offset)
			}
			return nil, invalid(fmt.Sprintf("%s:%d", where, j.line), "%s; correct the JSON there", strings.TrimPrefix(err.Error(), "json: "))
		}
		docs = append(docs, doc)
	}
}

// maxJSONDepth is far deeper than any object and far from the end of the stack.
const maxJSONDepth = 1000

type jsonReader struct {
	dec  *json.Decoder
	data []byte
	at   int64 // up to where line counts
	line int
}

// advance counts lines up to offset; tokens of JSON do not span any.
func (j *jsonReader) advance(offset int64) {
	offset = min(offset, int64(len(j.data)))
	if offset > j.at {
		j.line += bytes.Count(j.data[j.at:offset], []byte("\n"))
		j.at = offset
	}
}

func (j *jsonReader) token() (json.Token, error) {
	t, err := j.dec.Token()
	if err == nil {
		j.advance(j.dec.InputOffset())
	}
	return t, err
}

// value reads one value. Only before a whole document io.EOF is what it returns
// at the end.
func (j *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := j.token()
	switch {
	case err != nil && depth > 0 && errors.Is(err, io.EOF):
		j.advance(int64(len(j.data)))
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case depth > maxJSONDepth:
		return nil, fmt.Errorf("values are nested more than %d deep", maxJSONDepth)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: j.line}
	switch t := t.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if t == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for j.dec.More() { // keys and values come in turn, as in a yaml.Node
			item, err := j.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		// More is false at the end of the input too, where Token says so.
		if _, err := j.token(); errors.Is(err, io.EOF) {
			j.advance(int64(len(j.data)))
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
	case string:
		n.Tag, n.Value = "!!str", t
	case json.Number:
		n.Tag, n.Value = "!!float", t.String()
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(t)
	case nil:
		n.Tag = "!!null"
	}
	return n, nil
}
