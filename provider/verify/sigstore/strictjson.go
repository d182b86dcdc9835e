package sigstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// strictObject reads a JSON object into the pointers of field, which returns nil for keys
// that may not be there. Unlike package json it takes keys by their exact case and refuses
// a key that is there twice, so that no two readers can understand one document in two
// ways.
func strictObject(data []byte, field func(key string) any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return errors.New("want a JSON object")
		}
		value := field(key)
		switch {
		case seen[key]:
			return fmt.Errorf("the key %q is there twice", key)
		case value == nil:
			return fmt.Errorf("unknown key %q", key)
		}
		seen[key] = true
		if err := d.Decode(value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// exactObject reads a JSON object that has all of fields and no others.
func exactObject(data []byte, fields map[string]any) error {
	missing := make(map[string]bool, len(fields))
	for key := range fields {
		missing[key] = true
	}
	err := strictObject(data, func(key string) any {
		delete(missing, key)
		return fields[key]
	})
	if err != nil {
		return err
	}
	for key := range fields {
		if missing[key] {
			return fmt.Errorf("the key %q is missing", key)
		}
	}
	return nil
}
