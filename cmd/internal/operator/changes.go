package operator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Change is an object that would be created, changed or deleted.
type Change struct {
	Action     string `json:"action"` // "create", "change" or "delete"
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Unchecked says that the API server could not check it: what it refers to, such as its
	// namespace, would only be created.
	Unchecked bool    `json:"unchecked,omitempty"`
	Fields    []Field `json:"fields,omitempty"`
}

// Field is a field that would be set, changed or removed. Values of Secrets are [Hidden].
type Field struct {
	Path string `json:"path"` // "spec.template.spec.containers[operator].image"
	From any    `json:"from,omitempty"`
	To   any    `json:"to,omitempty"`
}

// Hidden stands for a value of a Secret.
const Hidden = "(not shown)"

// Changes returns what would change, by namespace, kind and name.
func (d *DryRun) Changes() []Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []Change{}
	for id, o := range d.objects {
		c := Change{Action: "change", APIVersion: id.kind.GroupVersion().String(), Kind: id.kind.Kind, Namespace: id.key.Namespace, Name: id.key.Name, Unchecked: o.unchecked}
		switch {
		case o.before == nil && o.after == nil:
			continue
		case o.after == nil:
			c.Action = "delete"
		case o.before == nil:
			c.Action = "create"
		}
		if c.Action != "delete" {
			before, after := content(o.before), content(o.after)
			if o.status != nil {
				after["status"] = o.status.Object["status"]
			}
			hide := id.kind.Group == "" && id.kind.Kind == "Secret"
			if c.Fields = differences("", before, after, hide); len(c.Fields) == 0 && c.Action == "change" {
				continue
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.APIVersion, b.APIVersion))
	})
	return out
}

// content returns the fields of obj that somebody chooses.
func content(obj *unstructured.Unstructured) map[string]any {
	out := map[string]any{}
	if obj == nil {
		return out
	}
	maps.Copy(out, obj.Object)
	delete(out, "apiVersion")
	delete(out, "kind")
	meta := map[string]any{}
	for _, name := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
		if v, ok, _ := unstructured.NestedFieldNoCopy(obj.Object, "metadata", name); ok {
			meta[name] = v
		}
	}
	out["metadata"] = meta
	return out
}

// differences returns the fields below path that differ, in the order of their names. What is removed
// as a whole is one field. Empty
// values are those that are not there. hide hides what a Secret holds.
func differences(path string, from, to any, hide bool) []Field {
	fromMap, toMap := items(from), items(to)
	switch {
	case reflect.DeepEqual(from, to), empty(from) && empty(to):
		return nil
	case to == nil && path != "", fromMap == nil && !empty(from), toMap == nil && !empty(to), fromMap == nil && toMap == nil:
		if hide && (strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData") || strings.HasSuffix(path, "[kubectl.kubernetes.io/last-applied-configuration]")) {
			return []Field{{path, hidden(from), hidden(to)}}
		}
		return []Field{{path, withoutPasswords(from), withoutPasswords(to)}}
	}
	names := maps.Clone(fromMap)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, toMap)
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(names)) {
		below := name
		switch {
		case strings.HasPrefix(name, "["), path == "":
			below = path + name
		case strings.ContainsAny(name, "./"):
			below = path + "[" + name + "]"
		default:
			below = path + "." + name
		}
		if strings.HasSuffix(path, "]") && name == "lastTransitionTime" { // of a condition: it is that of the write
			continue
		}
		out = append(out, differences(below, fromMap[name], toMap[name], hide)...)
	}
	if was, is := order(from), order(to); len(out) == 0 && !slices.Equal(was, is) {
		return []Field{{path, was, is}}
	}
	return out
}

// order returns the keys of a list's items, nil for anything else.
func order(v any) (keys []string) {
	list, _ := v.([]any)
	for _, item := range list {
		fields := item.(map[string]any)
		key, ok := fields["name"]
		if !ok {
			key = fields["type"]
		}
		keys = append(keys, fmt.Sprint(key))
	}
	return keys
}

// password finds those in URLs, such as that of a proxy.
var password = regexp.MustCompile(`(://[^/@\s:]*):[^/@\s]*@`)

// withoutPasswords returns a copy of v without passwords of URLs.
func withoutPasswords(v any) any {
	switch v := v.(type) {
	case string:
		return password.ReplaceAllString(v, "$1:"+Hidden+"@")
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = withoutPasswords(item)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = withoutPasswords(item)
		}
		return out
	}
	return v
}

// items returns a map as it is, and a list whose items have a name or a type by these. It is
// nil for anything else.
func items(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case []any:
		out := make(map[string]any, len(v))
		for _, item := range v {
			fields, _ := item.(map[string]any)
			key, ok := fields["name"].(string)
			if !ok {
				key, ok = fields["type"].(string)
			}
			if _, twice := out["["+key+"]"]; !ok || twice {
				return nil
			}
			out["["+key+"]"] = item
		}
		return out
	}
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func hidden(v any) any {
	if v == nil {
		return nil
	}
	return Hidden
}

// Judged is what came of a dry run.
type Judged struct {
	Changes []Change `json:"changes"`
	// Failed are the objects that could not be reconciled to the end.
	Failed []Failure `json:"failed,omitempty"`
}

// Failure is an object that could not be reconciled to the end, and why. What it would write
// until then is among the changes.
type Failure struct {
	Name  string `json:"name"` // "HostedCluster clusters/one"
	Error string `json:"error"`
}

// Print prints j as text or json.
func (j Judged) Print(w io.Writer, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(j)
	}
	text := new(bytes.Buffer)
	j.print(text)
	_, err := w.Write(text.Bytes())
	return err
}

// Exit returns the error that ends the process: nil where nothing would change, code 1 where
// something would, and code 2 where something could not be judged.
func (j Judged) Exit() error {
	switch {
	case len(j.Failed) > 0:
		return &ExitError{2, fmt.Errorf("%d objects could not be reconciled to the end", len(j.Failed))}
	case len(j.Changes) > 0:
		return &ExitError{Code: 1}
	}
	return nil
}

// maxShown is how many bytes of a value are printed.
const maxShown = 160

// print prints j for people.
func (j Judged) print(w *bytes.Buffer) {
	counts := map[string]int{}
	for _, c := range j.Changes {
		counts[c.Action]++
		name := c.Name
		if c.Namespace != "" {
			name = c.Namespace + "/" + name
		}
		fmt.Fprintf(w, "%s %s %s", c.Action, c.Kind, name)
		if c.Unchecked {
			fmt.Fprint(w, " (not checked by the API server: its namespace, or what it names, does not exist yet)")
		}
		fmt.Fprintln(w)
		for _, f := range c.Fields {
			switch {
			case f.From == nil:
				fmt.Fprintf(w, "  + %s: %s\n", f.Path, shown(f.To))
			case f.To == nil:
				fmt.Fprintf(w, "  - %s: %s\n", f.Path, shown(f.From))
			case f.From == Hidden:
				fmt.Fprintf(w, "  ~ %s: %s\n", f.Path, Hidden)
			default:
				fmt.Fprintf(w, "  ~ %s: %s -> %s\n", f.Path, shown(f.From), shown(f.To))
			}
		}
	}
	for _, f := range j.Failed {
		fmt.Fprintf(w, "failed %s: %s\n", f.Name, f.Error)
	}
	if len(j.Changes)+len(j.Failed) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "dry run: %d to create, %d to change, %d to delete; nothing was written\n", counts["create"], counts["change"], counts["delete"])
}

// shown returns a value on one line, cut where it is long.
func shown(v any) string {
	if v == Hidden {
		return Hidden
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(data) <= maxShown {
		return string(data)
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(string(data[:maxShown]), ""), len(data))
}
