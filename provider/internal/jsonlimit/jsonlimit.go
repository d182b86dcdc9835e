// Package jsonlimit bounds what a JSON document may grow to before it is decoded.
//
// Two bytes of JSON can become a hundred and more of Go ("0," in a list of
// structs), and encoding/json goes on decoding after an element of the wrong
// type; the size of a document says little about what it costs to read.
package jsonlimit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Error is that a document has more of something than is read.
type Error struct {
	What string // "values", "entries"
	Most int
}

func (e *Error) Error() string { return fmt.Sprintf("more than %d %s", e.Most, e.What) }

// Values refuses a document that may have more than most values, keys of objects
// not counted. It allocates nothing and does not check the syntax: what is no JSON
// it bounds just the same.
func Values(b []byte, most int) error {
	n := 1 // each other value follows a comma or opens its array or object
	inString := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == '[' || c == '{'):
			n++
		}
		if n > most {
			return &Error{"values", most}
		}
	}
	return nil
}

// Objects decodes an array of at most most objects, null being none at all (nil)
// and [] an empty list. It ends at the first element that is not an object or does
// not decode.
//
// It is for UnmarshalJSON of a type of list: that is called under whatever
// spelling of a key encoding/json takes for the field's, each time there is one.
func Objects[T any](b []byte, most int) ([]T, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	switch t, err := dec.Token(); {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, nil
	case t != json.Delim('['):
		return nil, errors.New("want a list")
	}
	list := []T{}
	for dec.More() {
		if len(list) == most {
			return nil, &Error{"entries", most}
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		if raw[0] != '{' {
			return nil, fmt.Errorf("entry %d is not an object", len(list))
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(list), err)
		}
		list = append(list, v)
	}
	return list, nil
}
