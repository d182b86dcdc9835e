package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/policy/lint"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// Migrate turns the ImageContentSourcePolicies in files into ImageDigestMirrorSets, where
// they stand: in documents of their own, in lists, in objects that carry others, and in
// texts such as those of a ConfigMap. Everything else in a file stays as it is, comments
// included; of a document with such a policy the layout may change. It returns the files
// that change.
//
// The files are in force together, like those of a folder. The result mirrors the same
// images in the same order, or there is an error: a [*LossError] for a mirror that is named
// twice in one entry, which the new kind cannot say; without allowLoss it is returned. Files
// in JSON are refused if there is something to change in them.
func Migrate(files []File, allowLoss bool) (Result, error) {
	m := &migration{names: make(map[string]bool)}
	for _, f := range files {
		m.collect(f)
	}
	var after []File
	for _, f := range files {
		m.where = f.Name
		text, err := m.text(string(f.Data))
		if err != nil {
			return Result{}, err
		}
		changed := File{f.Name, []byte(text)}
		if after = append(after, changed); text != string(f.Data) {
			m.files = append(m.files, changed)
		}
	}
	if err := m.verify(files, after); err != nil {
		return Result{}, err
	}
	if len(m.losses) > 0 && !allowLoss {
		return Result{}, &LossError{IDMS, m.losses}
	}
	return Result{m.files, m.losses}, nil
}

type migration struct {
	names  map[string]bool // of ImageDigestMirrorSets
	where  string
	files  []File
	losses []Loss
}

// separator is a line that begins a document of YAML. Nothing else begins so at the left.
var separator = regexp.MustCompile(`(?m)^---([ \t].*)?$`)

// documents cuts a text at its separators, which stay at the beginning of what follows.
func documents(text string) []string {
	var out []string
	last := 0
	for _, at := range separator.FindAllStringIndex(text, -1) {
		out = append(out, text[last:at[0]])
		last = at[0]
	}
	return append(out, text[last:])
}

// collect notes the names that are taken.
func (m *migration) collect(f File) {
	for _, doc := range documents(string(f.Data)) {
		var n yaml.Node
		if !strings.Contains(doc, kindIDMS) || yaml.Unmarshal([]byte(doc), &n) != nil {
			continue // another step says what is wrong with it
		}
		walk(&n, func(o *yaml.Node) {
			if value(o, "kind") == kindIDMS {
				if meta := field(o, "metadata"); meta != nil {
					m.names[value(meta, "name")] = true
				}
			}
		})
	}
}

// text migrates each document of a text.
func (m *migration) text(text string) (string, error) {
	if !strings.Contains(text, kindICSP) {
		return text, nil
	}
	var out strings.Builder
	for _, doc := range documents(text) {
		changed, err := m.document(doc)
		if err != nil {
			return "", err
		}
		out.WriteString(changed)
	}
	return out.String(), nil
}

func (m *migration) document(doc string) (string, error) {
	if !strings.Contains(doc, kindICSP) {
		return doc, nil
	}
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(doc), &n); err != nil {
		return "", fmt.Errorf("%s: %w", m.where, err)
	}
	changed := false
	var failed error
	walk(&n, func(o *yaml.Node) {
		switch value(o, "kind") {
		case kindICSP + "List":
			set(o, "apiVersion", apiVersion(kindIDMS))
			set(o, "kind", kindIDMS+"List")
			changed = true
			if items := field(o, "items"); items != nil {
				for _, item := range items.Content {
					if value(item, "kind") == "" {
						m.object(item)
					}
				}
			}
		case kindICSP:
			m.object(o)
			changed = true
		}
		for i := 1; i < len(o.Content); i += 2 {
			c := o.Content[i]
			if c.Kind == yaml.ScalarNode && strings.Contains(c.Value, kindICSP) && strings.Contains(c.Value, "\n") {
				inner, err := m.text(c.Value)
				if err != nil {
					failed = err
				}
				changed = changed || inner != c.Value
				c.Value = inner
			}
		}
	})
	switch {
	case failed != nil || !changed:
		return doc, failed
	case strings.HasPrefix(strings.TrimSpace(doc), "{"):
		return "", fmt.Errorf("%s: JSON is not changed in place; convert it with -d DIR", m.where)
	}
	head := ""
	if at := separator.FindStringIndex(doc); at != nil && at[0] == 0 {
		head = doc[:at[1]] + "\n"
	}
	data, err := encodeYAML(&n)
	return head + string(data), err
}

// walk calls f for every mapping.
func walk(n *yaml.Node, f func(*yaml.Node)) {
	if n.Kind == yaml.MappingNode {
		f(n)
	}
	for _, c := range n.Content {
		walk(c, f)
	}
}

func field(o *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(o.Content); i += 2 {
		if o.Content[i].Value == name {
			return o.Content[i+1]
		}
	}
	return nil
}

func value(o *yaml.Node, name string) string {
	if f := field(o, name); f != nil && f.Kind == yaml.ScalarNode {
		return f.Value
	}
	return ""
}

func set(o *yaml.Node, name, text string) {
	if f := field(o, name); f != nil {
		f.SetString(text)
		return
	}
}

func remove(o *yaml.Node, names ...string) {
	for i := 0; i+1 < len(o.Content); {
		if slices.Contains(names, o.Content[i].Value) {
			o.Content = slices.Delete(o.Content, i, i+2)
			continue
		}
		i += 2
	}
}

// object makes an ImageDigestMirrorSet of an ImageContentSourcePolicy.
func (m *migration) object(o *yaml.Node) {
	set(o, "apiVersion", apiVersion(kindIDMS))
	set(o, "kind", kindIDMS)
	remove(o, "status")
	name := ""
	if meta := field(o, "metadata"); meta != nil {
		// What the server sets describes an object that this one is not.
		remove(meta, "creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
		if annotations := field(meta, "annotations"); annotations != nil {
			if remove(annotations, lastApplied); len(annotations.Content) == 0 {
				remove(meta, "annotations")
			}
		}
		name = value(meta, "name")
		for n := 2; name != "" && m.names[value(meta, "name")]; n++ {
			set(meta, "name", fmt.Sprintf("%s-%d", name, n))
		}
		m.names[value(meta, "name")] = true
	}
	s := field(o, "spec")
	if s == nil {
		return
	}
	for i := 0; i+1 < len(s.Content); i += 2 {
		if s.Content[i].Value != "repositoryDigestMirrors" {
			continue
		}
		s.Content[i].Value = "imageDigestMirrors"
		for n, e := range s.Content[i+1].Content {
			m.distinct(fmt.Sprintf("%s %s/%s#%d", m.where, strings.ToLower(kindICSP), name, n+1), e)
		}
	}
}

// distinct removes mirrors that an entry names again.
func (m *migration) distinct(origin string, e *yaml.Node) {
	mirrors := field(e, "mirrors")
	if mirrors == nil {
		return
	}
	seen := make(map[string]bool)
	mirrors.Content = slices.DeleteFunc(mirrors.Content, func(n *yaml.Node) bool {
		repeated := seen[n.Value]
		if seen[n.Value] = true; repeated {
			m.losses = append(m.losses, Loss{origin, fmt.Sprintf("that the mirror %s is named twice", n.Value)})
		}
		return repeated
	})
}

// verify compares what the files say before and after. With a loss there is a difference.
func (m *migration) verify(before, after []File) error {
	var sides [2]diff.Side
	for i, files := range [][]File{before, after} {
		var policies []policy.Policy
		for _, f := range files {
			p, err := file.Parse(f.Name, f.Data)
			if err != nil {
				return err
			}
			policies = append(policies, p)
		}
		var err error
		if sides[i], err = diff.NewSide(policy.RulesConfig{}, policies...); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		for _, f := range lint.Check(lint.Config{}, policies...) {
			if f.RefusedByAPI {
				return fmt.Errorf("%s: the API server would refuse it: %s; mend the policy first", strings.Join(f.Origins, ", "), f.Message)
			}
		}
	}
	if r := diff.Compare(sides[0], sides[1]); len(r.Sources) > 0 && len(m.losses) == 0 {
		return fmt.Errorf("images of %s would be pulled from other places, so nothing is changed", r.Sources[0].Source)
	}
	return nil
}
