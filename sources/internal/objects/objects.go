package objects

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/internal/syntax"
)

// header is what every object of the API has.
type header struct {
	Object
	apiVersion, namespace string
	metadata              []field
}

// header reads the header of a mapping with fields. implied is as for object.
func (r *reader) header(n *yaml.Node, fields []field, implied Kind) (h header, err error) {
	h.Object = Object{Where: r.where, Line: r.line(n)}
	if h.apiVersion, err = r.text(h.String(), "apiVersion", get(fields, "apiVersion")); err != nil {
		return h, err
	}
	if h.Kind, err = r.text(h.String(), "kind", get(fields, "kind")); err != nil {
		return h, err
	}
	if h.Kind == "" {
		if h.Kind = implied.Name; h.apiVersion == "" {
			h.apiVersion = implied.APIVersion
		}
	}
	if h.Kind == handover.Kind {
		return h, invalid(h.String(), "a %s is read as JSON, and as all there is in its file", handover.Kind)
	}
	meta := follow(get(fields, "metadata"))
	if meta == nil || meta.Kind != yaml.MappingNode {
		return h, nil
	}
	if h.metadata, err = r.fields(h.Object, "metadata", meta); err != nil {
		return h, err
	}
	if h.Name, err = r.text(h.String(), "metadata.name", get(h.metadata, "name")); err != nil {
		return h, r.refusedToo(h.Object, err)
	}
	if h.namespace, err = r.text(h.String(), "metadata.namespace", get(h.metadata, "namespace")); err != nil {
		return h, r.refusedToo(h.Object, err)
	}
	h.Meta = &Metadata{r.pairs(get(h.metadata, "labels")), r.pairs(get(h.metadata, "annotations"))}
	return h, nil
}

// object reads a mapping by its kind. implied is the kind of an item of a List that does
// not state its own, as the API server writes them.
func (r *reader) object(n *yaml.Node, implied Kind, depth int) error {
	fields, err := r.fields(Object{Where: r.where, Line: r.line(n)}, document, n)
	if err != nil {
		return err
	}
	h, err := r.header(n, fields, implied)
	if err != nil {
		return err
	}
	o, apiVersion := h.Object, h.apiVersion
	if k, ok := mirrorKind(o.Kind); ok {
		r.checkMetadata(o, h.metadata, depth > 0)
		return r.refusedToo(o, r.mirrorSet(o, k, apiVersion, fields))
	}
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group = ""
	}
	wrap, wraps := wrapperOf(group, o.Kind)
	item, isList := strings.CutSuffix(o.Kind, "List")
	listed, ofMirrors := mirrorKind(item)
	switch {
	case isList && ofMirrors, isList && (item == imageKind || item == versionKind) && apiVersion == imageAPIVersion:
		if !ofMirrors {
			listed = Kind{Name: item, APIVersion: apiVersion}
		}
		return r.items(o, "items", listed, get(fields, "items"), depth)
	case wraps:
		return r.unwrap(o, n, wrap, fields, depth)
	case o.Kind == contentPolicyKind:
		return invalid(o.String(), "nothing reads the kind %s, nodes included; state it as %s, and as %s where tags are mirrored",
			contentPolicyKind, IDMS().Name, ITMS().Name)
	case o.Kind == versionKind && group == "config.openshift.io":
		return r.clusterVersion(o, fields)
	case o.Kind == imageKind && group == "config.openshift.io":
		r.checkMetadata(o, h.metadata, depth > 0)
		return r.refusedToo(o, r.imageConfig(o, apiVersion, fields))
	case (o.Kind == "HostedCluster" || o.Kind == "HostedControlPlane") && group == "hypershift.openshift.io":
		return r.hosted(o, h.namespace, fields)
	case o.Kind == "CatalogSource" && group == "operators.coreos.com":
		return r.catalog(o, fields, "spec", "image")
	case o.Kind == "ClusterCatalog" && group == "olm.operatorframework.io":
		return r.catalog(o, fields, "spec", "source", "image", "ref")
	case o.Kind == "MachineConfig" && group == "machineconfiguration.openshift.io":
		return r.machineConfig(o, fields)
	case o.Kind == "ConfigMap" && apiVersion == "v1":
		return r.configMap(o, n, fields)
	case o.Kind == "InstallConfig", o.Kind == "" && looksLikeInstallConfig(fields):
		return r.installConfig(o, fields)
	case o.Kind == "" && isIgnition(fields):
		return r.nodeFiles(o, "", fields)
	case o.Kind == "" && foreignKind(fields) != "":
		r.foreign(o, foreignKind(fields))
		return nil
	case o.Kind == "CustomResourceDefinition": // names the kinds and states nothing
		return r.skip(o, nil)
	}
	if o.Kind != "" {
		cluster := strings.TrimPrefix(h.namespace+"/"+o.Name, "/")
		if found, err := r.digestSourcesOf(o, fields, cluster); found || err != nil {
			return err
		}
	}
	return r.skipNode(o, fields, n)
}

// pairs reads labels or annotations. What is none is left out: they decide about no image.
func (r *reader) pairs(n *yaml.Node) map[string]string {
	if n = follow(n); n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil
	}
	m := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := follow(n.Content[i+1]); v != nil && v.Kind == yaml.ScalarNode {
			m[n.Content[i].Value] = v.Value
		}
	}
	return m
}

// items reads a list of objects.
func (r *reader) items(o Object, name string, implied Kind, list *yaml.Node, depth int) error {
	if depth >= maxDepth {
		return invalid(o.String(), "lists are nested more than %d deep", maxDepth)
	}
	items, err := r.list(o, name, list)
	if err != nil {
		return err
	}
	for _, item := range items {
		if item = follow(item); isNull(item) {
			continue
		}
		if err := r.object(item, implied, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// mirrorSet reads an ICSP, IDMS or ITMS, strictly: what it does not have would
// be dropped by the API server, and with it perhaps the policy's point.
func (r *reader) mirrorSet(o Object, k Kind, apiVersion string, fields []field) error {
	if apiVersion != k.APIVersion {
		return invalid(o.String(), "%s has the apiVersion %s, not %q", k.Name, k.APIVersion, apiVersion)
	}
	for _, f := range fields {
		switch f.name {
		case "apiVersion", "kind", "metadata", "spec", "status":
		case k.List:
			return invalid(o.at(f.line, 0), "%s belongs under spec", f.name)
		default:
			return unknown(o.at(f.line, 0), k.Name, f.name, []string{"apiVersion", "kind", "metadata", "spec"})
		}
	}
	spec, err := r.spec(o, fields)
	if err != nil {
		return err
	}
	for _, f := range spec {
		if f.name == k.List {
			continue
		}
		for _, other := range mirrorKinds() {
			if f.name == other.List {
				return invalid(o.at(f.line, 0), "%s belongs into the kind %s; %s has %s", f.name, other.Name, k.Name, k.List)
			}
		}
		return unknown(o.at(f.line, 0), "spec of "+k.Name, f.name, []string{k.List})
	}
	set := k.Set(o)
	if set.Entries, err = r.entries(o, get(spec, k.List), k.PolicyField, nil); err != nil {
		return err
	}
	return set.AddTo(&r.out)
}

// entries reads a list of source and mirrors. policyField is the name of the
// source policy in it, or "". check, if not nil, judges each name.
func (r *reader) entries(o Object, n *yaml.Node, policyField string, check func(name string) error) ([]Entry, error) {
	items, err := r.list(o, "the list of sources", n)
	if err != nil {
		return nil, err
	}
	known := []string{"source", "mirrors"}
	if policyField != "" {
		known = append(known, policyField)
	}
	var entries []Entry
	var wrong faults
	for i, item := range items {
		e, err := r.entry(o, i+1, item, policyField, known, check)
		if err != nil {
			if wrong = append(wrong, err); len(wrong) == maxFaults || r.budget < 0 {
				break
			}
			continue
		}
		entries = append(entries, e)
	}
	return entries, wrong.err()
}

// entry reads the nth entry of a list of source and mirrors.
func (r *reader) entry(o Object, n int, item *yaml.Node, policyField string, known []string, check func(name string) error) (Entry, error) {
	e := Entry{Line: r.line(item)}
	origin := o.Entry(e.Line, n)
	if isNull(follow(item)) {
		return e, misshapen(origin, "the entry is empty; remove it or give it a source and mirrors")
	}
	fields, err := r.fields(o, "the entry", item)
	if err != nil {
		return e, err
	}
	for _, f := range fields {
		at := o.Entry(f.line, n)
		switch f.name {
		case "source":
			e.Source, err = r.text(at, "source", f.value)
		case "mirrors":
			e.Mirrors, err = r.texts(at, o, f.value)
		case policyField:
			if e.SourcePolicy, err = r.text(at, policyField, f.value); err == nil && e.SourcePolicy == "" && !isNull(f.value) {
				r.refused(o, f.line, "%s is \"\"; remove it, or write %s or %s", policyField, allowContactingSource, neverContactSource)
			}
		default:
			err = unknown(at, "the entry", f.name, known)
		}
		if err != nil {
			return e, err
		}
	}
	if isNull(get(fields, "source")) {
		return e, misshapen(origin, noSource)
	}
	for _, name := range append([]string{e.Source}, e.Mirrors...) {
		if err := legible(name); err != nil && o.Kind == ICSP().Name { // whose names nothing judges
			return e, invalid(origin, "%w", err)
		} else if err != nil {
			return e, misshapen(origin, "%w", err)
		}
		if check == nil {
			continue
		}
		if err := check(name); err != nil {
			return e, invalid(origin, "%w", err)
		}
	}
	return e, nil
}

func (r *reader) texts(origin string, o Object, n *yaml.Node) ([]string, error) {
	items, err := r.list(o, "mirrors", n)
	if err != nil {
		return nil, err
	}
	var out []string
	for i, item := range items {
		if isNull(follow(item)) {
			return nil, misshapen(origin, "mirror %d is empty; remove it or name a mirror", i+1)
		}
		s, err := r.text(origin, fmt.Sprintf("mirror %d", i+1), item)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// legible refuses a name that nobody wrote as it reads: one of a template, or with a
// character that looks like another.
func legible(name string) error {
	if part := syntax.Template(name); part != "" {
		return errors.New(syntax.Unrendered(part))
	}
	if c := syntax.Character(name); c != "" {
		return fmt.Errorf("the name %q has %s; type a plain character in its place", name, c)
	}
	if strings.TrimSpace(name) != name {
		return fmt.Errorf("the name %q begins or ends with white space; remove it", name)
	}
	return nil
}

// skipNode skips an object, and warns if it carries policy.
func (r *reader) skipNode(o Object, fields []field, n *yaml.Node) error {
	warned := len(r.out.Warnings)
	if err := r.skip(o, fields); err != nil || len(r.out.Warnings) > warned {
		return err
	}
	what, err := r.carries(n, 0)
	if what != "" {
		r.notRead(o, what)
	}
	return err
}

// skip records an object that is no policy, and warns if it was meant as one.
func (r *reader) skip(o Object, fields []field) error {
	origin := o
	origin.Kind, origin.Name = "", ""
	r.out.Skipped = append(r.out.Skipped, policy.SkippedObject{Kind: o.Kind, Name: o.Name, Origin: origin.String()})

	meant, warn := Kind{}, false
	if o.Kind != "" {
		meant, warn = misspelt(o.Kind)
	}
	if spec := follow(get(fields, "spec")); !warn && spec != nil && spec.Kind == yaml.MappingNode {
		spec, err := r.fields(o, "spec", spec)
		if err != nil {
			return err
		}
		for _, k := range mirrorKinds() {
			if get(spec, k.List) != nil {
				meant, warn = k, true
			}
		}
	}
	if warn {
		r.out.Warnings = append(r.out.Warnings, policy.Warning{
			Code:    policy.WarnMisspeltKind,
			Origins: []string{o.String()},
			Message: fmt.Sprintf("%s: the kind %q is not known and is skipped; did you mean %s (%s)?", o, o.Kind, meant.Name, meant.APIVersion),
		})
	}
	return nil
}
