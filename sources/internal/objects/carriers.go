package objects

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
)

// wrapper is a kind whose objects hold other objects: the path to their list, and the
// field of an item that is the object, "" where it is the item itself.
type wrapper struct {
	group, kind string
	path        []string
	item        string
}

func wrappers() []wrapper {
	return []wrapper{
		{"", "List", []string{"items"}, ""},
		{"hive.openshift.io", "SelectorSyncSet", []string{"spec", "resources"}, ""},
		{"hive.openshift.io", "SyncSet", []string{"spec", "resources"}, ""},
		{"template.openshift.io", "Template", []string{"objects"}, ""},
		{"", "Template", []string{"objects"}, ""}, // its group before OpenShift 3.6
		{"work.open-cluster-management.io", "ManifestWork", []string{"spec", "workload", "manifests"}, ""},
		{"work.open-cluster-management.io", "ManifestWorkReplicaSet", []string{"spec", "manifestWorkTemplate", "workload", "manifests"}, ""},
		{"policy.open-cluster-management.io", "Policy", []string{"spec", "policy-templates"}, "objectDefinition"},
		{"policy.open-cluster-management.io", "ConfigurationPolicy", []string{"spec", "object-templates"}, "objectDefinition"},
	}
}

// wrapperOf finds the wrapper that an object is.
func wrapperOf(group, kind string) (wrapper, bool) {
	all := wrappers()
	i := slices.IndexFunc(all, func(w wrapper) bool { return w.kind == kind && w.group == group })
	if i < 0 {
		return wrapper{}, false
	}
	return all[i], true
}

// unwrap reads the objects inside o.
func (r *reader) unwrap(o Object, n *yaml.Node, w wrapper, fields []field, depth int) error {
	list := &yaml.Node{}
	for i, name := range w.path {
		list = get(fields, name)
		var err error
		if i < len(w.path)-1 {
			if fields, err = r.fields(o, name, list); err != nil {
				return err
			}
		}
	}
	if w.item == "" {
		return r.items(o, w.path[len(w.path)-1], Kind{}, list, depth)
	}
	items, err := r.list(o, w.path[len(w.path)-1], list)
	if err != nil {
		return err
	}
	if len(items) == 0 { // object-templates-raw, and the like
		return r.skipNode(o, fields, n)
	}
	for _, item := range items {
		fields, err := r.fields(o, "a template", item)
		if err != nil {
			return err
		}
		// An ACM policy may also say what must not be there.
		if must, _ := r.text(o.String(), "complianceType", get(fields, "complianceType")); strings.EqualFold(must, "mustnothave") {
			continue
		}
		inner := follow(get(fields, w.item))
		if isNull(inner) {
			continue
		}
		if err := r.object(inner, Kind{}, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Keys of ConfigMaps that hold policies: of assisted-service, of HyperShift's NodePools and
// its proposed configuration, and the installer's own of cluster-config-v1.
func documentKeys() []string { return []string{"config", "idms.yaml", "itms.yaml", "install-config"} }

const confKey = "registries.conf"

// configMap reads the keys of a ConfigMap that are known to hold policies.
func (r *reader) configMap(o Object, n *yaml.Node, fields []field) error {
	data, err := r.fields(o, "data", get(fields, "data"))
	if err != nil {
		return err
	}
	read := false
	var rest []field
	for _, f := range data {
		text, err := r.text(o.at(f.line, 0), f.name, f.value)
		if err != nil {
			return err
		}
		if err := r.spend(o, len(text)); err != nil {
			return err
		}
		where := o.String() + " " + f.name
		switch {
		case f.name == confKey && Recognise([]byte(text)) == Tables:
			read = true
			err = r.AddConf(where, []byte(text), false)
		case f.name == confKey: // YAML of Argo CD's image updater, which has the key too
		case slices.Contains(documentKeys(), f.name) && mentions(text) != "":
			read = true
			err = r.Set.documents(where, []byte(text))
		default:
			rest = append(rest, f)
		}
		if err != nil {
			return err
		}
	}
	if !read && !slices.ContainsFunc(data, func(f field) bool { return f.name == confKey }) {
		return r.skipNode(o, fields, n)
	}
	if !read { // its registries.conf is another program's
		return r.skip(o, fields)
	}
	for _, f := range rest {
		switch text := follow(f.value).Value; {
		case strings.Contains(text, "-----BEGIN CERTIFICATE-----"):
			r.warn(policy.WarnNotEnforced, o, fmt.Sprintf("%s: %s is a CA bundle, which is not read as policy; trust it where registries are read (--cert-dir)", o, f.name))
		case mentions(text) != "":
			r.notRead(o, f.name+" with "+mentions(text))
		}
	}
	return nil
}

// digestSourcesOf reads imageDigestSources or imageContentSources of kinds that have them
// at the top or in spec: ImageBasedInstallationConfig, ImageClusterInstall.
func (r *reader) digestSourcesOf(o Object, fields []field, cluster string) (found bool, err error) {
	spec := fields
	if s := follow(get(fields, "spec")); s != nil && s.Kind == yaml.MappingNode {
		inner, err := r.fields(o, "spec", s)
		if err != nil {
			return true, err
		}
		spec = append(slices.Clone(fields), inner...)
	}
	for _, name := range []string{digestSources, contentSources} {
		list := follow(get(spec, name))
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		found = true
		if len(list.Content) == 0 || !r.belongsTo(cluster, o) {
			continue
		}
		set := MirrorSet{Object: o, Pull: policy.PullDigest, PolicyField: "mirrorSourcePolicy"}
		for _, item := range list.Content {
			if entry, err := r.fields(o, "the entry", item); err == nil && get(entry, "sourcePolicy") != nil {
				set.PolicyField = "sourcePolicy" // the installer's word for it
			}
		}
		if set.Entries, err = r.entries(o, list, set.PolicyField, nil); err != nil {
			return true, err
		}
		if err := set.AddTo(&r.out); err != nil {
			return true, err
		}
	}
	return found, nil
}

// notRead warns that o carries policy in a form that is not read.
func (r *reader) notRead(o Object, what string) {
	r.warn(policy.WarnNotRead, o, fmt.Sprintf("%s carries policy that is not read (%s); name it as a file of its own", o, what))
}

var policyWords = regexp.MustCompile(`\[\[registry\]\]|imageDigestSources|imageContentSources|registries\.conf|kind"?\s*:\s*"?(ImageDigestMirrorSet|ImageTagMirrorSet|ImageContentSourcePolicy|HostedCluster)\b`)

// mentions returns the word in a text by which it is taken for policy, "" if there is none.
func mentions(text string) string { return policyWords.FindString(text) }

// carries finds policy in an object that is skipped: one of the three kinds inside it,
// a list of imageDigestSources, or a text that mentions them.
func (r *reader) carries(n *yaml.Node, depth int) (string, error) {
	n = follow(n)
	if n == nil || depth > maxScan {
		return "", nil
	}
	if err := r.spend(Object{Where: r.where}, 1+len(n.Content)); err != nil {
		return "", err
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return mentions(n.Value), nil
	case yaml.MappingNode:
		var kind string
		var spec bool
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch key := n.Content[i].Value; key {
			case "kind":
				kind = follow(n.Content[i+1]).Value
			case "spec":
				spec = true
			case digestSources:
				return key, nil
			}
		}
		if _, ok := mirrorKind(kind); ok && spec && depth > 0 {
			return kind, nil
		}
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a key
		}
		if what, err := r.carries(c, depth+1); what != "" || err != nil {
			return what, err
		}
	}
	return "", nil
}

// maxScan is how deep an object is looked into that is skipped.
const maxScan = 64

// foreignKind names a file without a kind that other programs read.
func foreignKind(fields []field) string {
	has := func(name string) bool { return get(fields, name) != nil }
	mirrors := follow(get(fields, "mirrors"))
	switch {
	case has("registry-mirrors"), has("insecure-registries"):
		return "Docker's daemon.json"
	case mirrors != nil && mirrors.Kind == yaml.MappingNode:
		return "k3s's registries.yaml"
	}
	return ""
}
