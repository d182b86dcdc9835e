package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// reader reads JSON that has to be exactly as described: encoding/json takes the
// last of two fields with one name, a field whose name differs in case, and null
// for everything.
type reader struct {
	dec  *json.Decoder
	path []string // where in the document it is
}

func newReader(data []byte) *reader {
	r := &reader{dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	return r
}

// token returns the next token. The input ends nowhere that one is wanted.
func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the document ends too early, after %d bytes; it was cut off on its way", r.dec.InputOffset())
	case err != nil:
		return nil, fmt.Errorf("byte %d: %s", r.dec.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
	}
	return t, nil
}

// field reads the value of one field.
type field func() error

// extension begins the names of fields that a reader may pass over.
const extension = "x-"

// object reads an object with these fields, each of them at most once.
func (r *reader) object(fields map[string]field, required ...string) error {
	if err := r.delim('{', "an object"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return mismatch("the name of a field", t)
		}
		if seen[name] {
			return fmt.Errorf("%q is there twice; remove one", name)
		}
		seen[name] = true
		read, known := fields[name]
		if !known && strings.HasPrefix(name, extension) {
			var ignored json.RawMessage
			if err := r.dec.Decode(&ignored); err != nil {
				return fmt.Errorf("%q: %s", name, strings.TrimPrefix(err.Error(), "json: "))
			}
			continue
		}
		if !known {
			return fmt.Errorf("%q is no field of version %d; remove it, or upgrade the program that reads this", name, version)
		}
		r.path = append(r.path, name)
		if err := read(); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	if _, err := r.token(); err != nil {
		return err
	}
	for _, name := range required {
		if !seen[name] {
			return fmt.Errorf("%q is missing", name)
		}
	}
	return nil
}

// list reads a list of which read reads the items.
func (r *reader) list(read func(i int) error) error {
	if err := r.delim('[', "a list"); err != nil {
		return err
	}
	at := len(r.path) - 1
	name := r.path[at]
	for i := 0; r.dec.More(); i++ {
		r.path[at] = fmt.Sprintf("%s[%d]", name, i)
		if err := read(i); err != nil {
			return err
		}
	}
	r.path[at] = name
	_, err := r.token()
	return err
}

func (r *reader) delim(want json.Delim, what string) error {
	t, err := r.token()
	if err == nil && t != want {
		err = mismatch(what, t)
	}
	return err
}

func (r *reader) text(to *string) field {
	return func() error { return scalar(r, to, "a string") }
}

func (r *reader) flag(to *bool) field {
	return func() error { return scalar(r, to, "true or false") }
}

// texts reads a list of strings; an empty one is not nil.
func (r *reader) texts(to *[]string) field {
	return func() error {
		*to = []string{}
		return r.list(func(int) error {
			var s string
			if err := scalar(r, &s, "a string"); err != nil {
				return err
			}
			*to = append(*to, s)
			return nil
		})
	}
}

func scalar[T any](r *reader, to *T, what string) error {
	t, err := r.token()
	if err != nil {
		return err
	}
	v, ok := t.(T)
	if !ok {
		return mismatch(what, t)
	}
	*to = v
	return nil
}

func mismatch(want string, got json.Token) error {
	is := fmt.Sprintf("%v", got)
	switch got := got.(type) {
	case nil:
		is = "null"
	case string:
		is = fmt.Sprintf("%q", got)
	case json.Delim:
		is = "a list"
		if got == '{' {
			is = "an object"
		}
	}
	return fmt.Errorf("want %s, not %s", want, is)
}
