package objects

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one key of a mapping with its value, aliases followed.
type field struct {
	name  string
	line  int
	value *yaml.Node
}

// follow returns the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// spend counts nodes as they are visited. A document without aliases has fewer
// nodes than bytes, so only one whose aliases multiply runs out.
func (r *reader) spend(o Object, n int) error {
	if r.budget -= n; r.budget < 0 {
		return invalid(o.String(), "the document's aliases expand to far more than the file holds; write them out")
	}
	return nil
}

// document is what a mapping is called that is all there is.
const document = "the document"

// fields reads a mapping. A null is an empty one; a key that is there twice is an
// error, because one of the two would be lost. Merge keys (<<) add what the
// mapping does not have itself.
func (r *reader) fields(o Object, what string, n *yaml.Node) ([]field, error) {
	n = follow(n)
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, misshapen(o.at(r.line(n), 0), "%s must be a mapping, not %s", what, describe(n))
	}
	if err := r.spend(o, len(n.Content)+1); err != nil {
		return nil, err
	}
	var out []field
	var merged []*yaml.Node
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), follow(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			return nil, invalid(o.at(r.line(n.Content[i]), 0), "a key of %s must be a string, not %s", what, describe(key))
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		line := r.line(n.Content[i])
		if _, twice := seen[key.Value]; twice && what == document && (key.Value == "apiVersion" || key.Value == "kind") {
			return nil, invalid(o.at(line, 0), "--- is missing before line %d: a second object begins there", line)
		}
		if first, twice := seen[key.Value]; twice {
			return nil, invalid(o.at(line, 0), "%q is there twice in %s, on line %d too; remove one", key.Value, what, first)
		}
		seen[key.Value] = line
		out = append(out, field{key.Value, line, value})
	}
	if len(merged) > 0 {
		if r.mergeDepth++; r.mergeDepth > maxMergeDepth {
			return nil, invalid(o.at(r.line(n), 0), "merge keys (<<) are nested more than %d deep; write the fields out", maxMergeDepth)
		}
		defer func() { r.mergeDepth-- }()
	}
	for _, m := range merged {
		if m.Kind == yaml.MappingNode {
			m = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{m}}
		}
		for _, from := range m.Content {
			inherited, err := r.fields(o, what, from)
			if err != nil {
				return nil, err
			}
			for _, f := range inherited {
				if _, own := seen[f.name]; !own {
					seen[f.name] = f.line
					out = append(out, f)
				}
			}
		}
	}
	return out, nil
}

// list reads a sequence; a null is an empty one.
func (r *reader) list(o Object, what string, n *yaml.Node) ([]*yaml.Node, error) {
	n = follow(n)
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, misshapen(o.at(r.line(n), 0), "%s must be a list, not %s", what, describe(n))
	}
	return n.Content, r.spend(o, len(n.Content)+1)
}

// text reads a string; a null is an empty one. A number or a boolean is an error,
// as it is to the API server.
func (r *reader) text(origin, what string, n *yaml.Node) (string, error) {
	n = follow(n)
	if isNull(n) {
		return "", nil
	}
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp") {
		return n.Value, nil
	}
	return "", misshapen(origin, "%s must be a string, not %s", what, describe(n))
}

// describe names a node's type and never its value, which may be a secret.
func describe(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float":
		return "a number (put it in quotes)"
	case n.ShortTag() == "!!bool":
		return "true or false (put it in quotes)"
	case n.ShortTag() == "!!str":
		return "a string"
	}
	return "a value of type " + n.ShortTag()
}

// unknown returns the error for a field that a document's kind does not have. To drop
// it could change what the policy means, so it is no warning.
func unknown(origin, what, got string, known []string) error {
	hint := ""
	if name, ok := nearest(got, known); ok {
		hint = fmt.Sprintf("; did you mean %q?", name)
	}
	return invalid(origin, "%s has no field %q%s (it has %s)", what, got, hint, strings.Join(known, ", "))
}

// get returns the value of a field, nil if it is not there.
func get(fields []field, name string) *yaml.Node {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return fields[i].value
}
