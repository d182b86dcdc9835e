package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/policy"
)

// IsDocument reports whether data is meant to be a document: a JSON object that says
// so, whole or not.
func IsDocument(data []byte) bool {
	kind, _ := header(data)
	return kind == Kind
}

// header finds kind and version, so that nothing else is said of a document whose
// version is not known. Errors are found later.
func header(data []byte) (kind, version string) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return "", ""
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			break
		}
		switch name {
		case "kind":
			_ = json.Unmarshal(value, &kind)
		case "version":
			version = string(value)
		}
	}
	return kind, version
}

// Decode reads a document. where says in errors what data is, "env:NAME", and is the
// origin of rules for which the document names none; with "" these have none either.
//
// policy.NewRules makes of the policy what the writer's rules were; see
// [policy.Rules.Policy] for what it means beside other policies. What is wrong is a
// [*policy.InvalidPolicyError] that names the entry; that includes a version which this
// program does not know.
func Decode(where string, data []byte) (policy.Policy, error) {
	r := newReader(data)
	doc, err := r.document(data)
	if err != nil {
		at := strings.Join(r.path, ".")
		if where != "" {
			at = strings.TrimSpace(where + " " + at)
		}
		return policy.Policy{}, &policy.InvalidPolicyError{Origin: at, Err: err}
	}
	return doc.policy(where), nil
}

func (r *reader) document(data []byte) (document, error) {
	var doc document
	if !utf8.Valid(data) {
		return doc, errors.New("the document is not UTF-8")
	}
	if kind, v := header(data); kind == Kind && v != "" && v != fmt.Sprint(version) {
		return doc, fmt.Errorf("the document has version %s and this program reads version %d; upgrade the program that reads it", v, version)
	}
	var judged json.Number // the version, in the header
	err := r.object(map[string]field{
		"kind":                r.text(&doc.Kind),
		"version":             func() error { return scalar(r, &judged, "a number") },
		"registries":          r.registries(&doc.Registries),
		"rewrites":            r.rewrites(&doc.Rewrites),
		"insecure-registries": r.scopes(&doc.Insecure),
		"blocked-registries":  r.scopes(&doc.Blocked),
	}, "kind", "version")
	if err != nil {
		return doc, err
	}
	if doc.Kind != Kind {
		return doc, fmt.Errorf("the kind is %q; want %s", doc.Kind, Kind)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return doc, fmt.Errorf("something follows the end of the document, at byte %d; remove it", r.dec.InputOffset())
	}
	return doc, nil
}

func (r *reader) registries(to *[]registry) field {
	return func() error {
		first := map[string]int{}
		return r.list(func(i int) error {
			var t registry
			err := r.object(map[string]field{
				"prefix": func() error {
					return r.key(&t.Prefix, first, i)
				},
				"location":              r.text(&t.Location),
				"insecure":              r.flag(&t.Insecure),
				"blocked":               r.flag(&t.Blocked),
				"mirror-by-digest-only": r.flag(&t.DigestOnly),
				"mirrors":               r.mirrors(&t.Mirrors),
				"origins":               r.texts(&t.Origins),
				"blocked-by":            func() error { return r.scope(&t.BlockedBy, nil, 0) },
				"drop-in":               r.flag(&t.DropIn),
				"scope-only":            r.flag(&t.ScopeOnly),
				"inherited-from":        r.text(&t.Inherited),
			}, "prefix")
			*to = append(*to, t)
			return err
		})
	}
}

// key reads the field that tells the items of a list apart.
func (r *reader) key(to *string, first map[string]int, i int) error {
	if err := scalar(r, to, "a string"); err != nil || first == nil {
		return err
	}
	if before, twice := first[*to]; twice {
		return fmt.Errorf("%q is there twice, first at number %d, counted from 0; remove one", *to, before)
	}
	first[*to] = i
	// The last of path is this field, the one before it the item.
	r.path[len(r.path)-2] += fmt.Sprintf(" (%q)", *to)
	return nil
}

func (r *reader) mirrors(to *[]mirror) field {
	return func() error {
		return r.list(func(int) error {
			var m mirror
			err := r.object(map[string]field{
				"location": r.text(&m.Location),
				"insecure": r.flag(&m.Insecure),
				"pull-from-mirror": func() error {
					if err := scalar(r, &m.Pull, "a string"); err != nil {
						return err
					}
					if !slices.Contains([]string{pullAll, pullDigest, pullTag}, m.Pull) {
						return fmt.Errorf("want %s, %s or %s, not %q", pullAll, pullDigest, pullTag, m.Pull)
					}
					return nil
				},
				"origins":     r.texts(&m.Origins),
				"x-by-tenant": r.flag(&m.ByTenant),
			}, "location")
			*to = append(*to, m)
			return err
		})
	}
}

func (r *reader) rewrites(to *[]rewrite) field {
	return func() error {
		first := map[string]int{}
		return r.list(func(i int) error {
			var w rewrite
			err := r.object(map[string]field{
				"source": func() error { return r.key(&w.Source, first, i) },
				"target": r.text(&w.Target),
				"origin": r.text(&w.Origin),
			}, "source", "target")
			*to = append(*to, w)
			return err
		})
	}
}

func (r *reader) scopes(to *[]scope) field {
	return func() error {
		first := map[string]int{}
		return r.list(func(i int) error {
			var s scope
			err := r.scope(&s, first, i)
			*to = append(*to, s)
			return err
		})
	}
}

func (r *reader) scope(to *scope, first map[string]int, i int) error {
	return r.object(map[string]field{
		"scope":  func() error { return r.key(&to.Scope, first, i) },
		"origin": r.text(&to.Origin),
	}, "scope")
}
