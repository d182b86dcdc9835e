package convert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Kinds of objects.
const (
	kindICSP  = "ImageContentSourcePolicy"
	kindIDMS  = "ImageDigestMirrorSet"
	kindITMS  = "ImageTagMirrorSet"
	kindImage = "Image"

	neverContactSource = "NeverContactSource"
	lastApplied        = "kubectl.kubernetes.io/last-applied-configuration"
)

// document is an object in the order in which people write its fields.
type document struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       spec     `yaml:"spec"`
}

type metadata struct {
	Name        string            `yaml:"name"`
	Namespace   string            `yaml:"namespace,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type spec struct {
	RepositoryDigestMirrors []mirrorSet      `yaml:"repositoryDigestMirrors,omitempty"`
	ImageDigestMirrors      []mirrorSet      `yaml:"imageDigestMirrors,omitempty"`
	ImageTagMirrors         []mirrorSet      `yaml:"imageTagMirrors,omitempty"`
	ImageContentSources     []mirrorSet      `yaml:"imageContentSources,omitempty"`
	RegistrySources         *registrySources `yaml:"registrySources,omitempty"`
}

type mirrorSet struct {
	Source             string   `yaml:"source"`
	Mirrors            []string `yaml:"mirrors,omitempty"`
	MirrorSourcePolicy string   `yaml:"mirrorSourcePolicy,omitempty"`
	SourcePolicy       string   `yaml:"sourcePolicy,omitempty"` // what an install-config calls it
}

type registrySources struct {
	Insecure []string `yaml:"insecureRegistries,omitempty"`
	Blocked  []string `yaml:"blockedRegistries,omitempty"`
	Allowed  []string `yaml:"allowedRegistries,omitempty"`
	Search   []string `yaml:"containerRuntimeSearchRegistries,omitempty"`
}

func encodeYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := errors.Join(enc.Encode(v), enc.Close())
	return b.Bytes(), err
}

// objects writes objects of the API: one for each object that states entries, in their
// order, then one for entries that no object states.
func (w *writer) objects() error {
	s := w.state()
	var docs []*document
	type key struct {
		object *policy.Object
		kind   string
	}
	byKey := make(map[key]*document)
	for _, e := range s.entries {
		for _, kind := range w.kindsOf(e) {
			k := key{e.object, kind}
			doc := byKey[k]
			if doc == nil {
				doc = &document{APIVersion: apiVersion(kind), Kind: kind, Metadata: w.metadataOf(e.object)}
				byKey[k] = doc
				docs = append(docs, doc)
			}
			doc.add(e)
		}
	}
	if image := w.image(s); image != nil {
		docs = append(docs, image)
	}
	w.rename(docs)
	for i, doc := range docs {
		data, err := encodeYAML(doc)
		if err != nil {
			return err
		}
		if i > 0 {
			data = append([]byte("---\n"), data...)
		}
		w.add(fmt.Sprintf("%s-%s.yaml", strings.ToLower(doc.Kind), fileName(doc.Metadata.Name)), data)
	}
	return nil
}

// fileName returns a name without what a path would take for more.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '-'
		}
		return r
	}, strings.TrimLeft(name, "."))
}

// kindsOf returns the kinds of objects that say what e says.
func (w *writer) kindsOf(e entry) []string {
	var kinds []string
	digests, tags := e.pull != policy.PullTag, e.pull != policy.PullDigest
	switch w.cfg.To {
	case IDMS:
		if digests {
			kinds = append(kinds, kindIDMS)
		}
		if tags {
			kinds = append(kinds, kindITMS)
		}
	case ITMS:
		if digests {
			w.lose(e.origin, "the mirrors for digests of %s", e.source)
		}
		if tags {
			kinds = append(kinds, kindITMS)
		}
	case ICSP:
		if tags {
			w.lose(e.origin, "the mirrors for tags of %s", e.source)
		}
		if digests {
			kinds = append(kinds, kindICSP)
		}
		if digests && e.never {
			w.lose(e.origin, "that %s is not to be contacted", e.source)
		}
	}
	return kinds
}

func apiVersion(kind string) string {
	if kind == kindICSP {
		return "operator.openshift.io/v1alpha1"
	}
	return "config.openshift.io/v1"
}

// metadataOf keeps what an admin wrote: name, labels, annotations. What kubectl keeps there
// for itself describes the object as it was, and is left out.
func (w *writer) metadataOf(o *policy.Object) metadata {
	if o == nil || o.Name == "" || !slices.Contains([]string{kindICSP, kindIDMS, kindITMS, kindImage}, o.Kind) {
		return metadata{Name: cmp.Or(w.cfg.Name, "mirrors")}
	}
	annotations := maps.Clone(o.Annotations)
	delete(annotations, lastApplied)
	return metadata{Name: o.Name, Labels: o.Labels, Annotations: annotations}
}

func (d *document) add(e entry) {
	m := mirrorSet{Source: e.source, Mirrors: e.mirrors}
	if e.never && d.Kind != kindICSP {
		m.MirrorSourcePolicy = neverContactSource
	}
	switch d.Kind {
	case kindICSP:
		d.Spec.RepositoryDigestMirrors = append(d.Spec.RepositoryDigestMirrors, m)
	case kindIDMS:
		d.Spec.ImageDigestMirrors = append(d.Spec.ImageDigestMirrors, m)
	case kindITMS:
		d.Spec.ImageTagMirrors = append(d.Spec.ImageTagMirrors, m)
	}
}

// image returns the image configuration for scopes, nil if there are none.
func (w *writer) image(s statement) *document {
	sources := &registrySources{Insecure: s.insecure, Blocked: s.blocked}
	cluster := &policy.Object{Kind: kindImage, Name: "cluster"}
	for _, p := range w.policies {
		for _, scope := range slices.Concat(p.Insecure, p.Blocked, p.Allowed, p.Search) {
			if scope.Object != nil && scope.Object.Kind == kindImage {
				cluster = scope.Object
			}
		}
		for _, scope := range p.Allowed {
			sources.Allowed = append(sources.Allowed, scope.Name)
		}
		for _, scope := range p.Search {
			if scope.Object != nil {
				sources.Search = append(sources.Search, scope.Name)
			}
		}
	}
	if len(sources.Insecure)+len(sources.Blocked)+len(sources.Allowed)+len(sources.Search) == 0 {
		return nil
	}
	return &document{APIVersion: apiVersion(kindImage), Kind: kindImage, Metadata: w.metadataOf(cluster), Spec: spec{RegistrySources: sources}}
}

// rename gives each object of a kind a name of its own: oc-mirror v1 writes several with the
// same one, and of those the API server would keep the last.
func (w *writer) rename(docs []*document) {
	taken := make(map[string]bool)
	for _, d := range docs {
		name := d.Metadata.Name
		for n := 2; taken[d.Kind+"/"+d.Metadata.Name]; n++ {
			d.Metadata.Name = fmt.Sprintf("%s-%d", name, n)
		}
		taken[d.Kind+"/"+d.Metadata.Name] = true
	}
}

// sources returns one entry for each source of merged digest mirrors. Others are lost, and
// found by reading the result.
func (w *writer) sources(policyField func(*mirrorSet)) []mirrorSet {
	var out []mirrorSet
	for s := range w.rules.Merged() {
		if s.Kind != policy.KindMirror || len(s.DigestMirrors) == 0 || strings.HasPrefix(s.Source, "*.") {
			continue // a wildcard is none of the references that both forms take
		}
		m := mirrorSet{Source: s.Source}
		for _, at := range s.DigestMirrors {
			if !slices.Contains(m.Mirrors, at.Location) {
				m.Mirrors = append(m.Mirrors, at.Location)
			}
		}
		if s.NeverContactSource {
			policyField(&m)
		}
		out = append(out, m)
	}
	return out
}

// installConfig writes the part of an install-config.
func (w *writer) installConfig() error {
	data, err := encodeYAML(struct {
		Sources []mirrorSet `yaml:"imageDigestSources"`
	}{w.sources(func(m *mirrorSet) { m.SourcePolicy = neverContactSource })})
	w.add("install-config.yaml", data)
	return err
}

// Limits of hypershift.openshift.io/v1beta1 for imageContentSources.
const maxHosted = 255

// hostedCluster writes a patch of a HostedCluster.
func (w *writer) hostedCluster() error {
	namespace, name, ok := strings.Cut(cmp.Or(w.cfg.Name, "clusters/example"), "/")
	if !ok || namespace == "" || name == "" {
		return errName
	}
	all := w.sources(func(*mirrorSet) {})
	fits := all[:0:0]
	for _, m := range all {
		switch {
		case len(fits) == maxHosted:
			w.lose("", "the mirrors of %s: imageContentSources takes %d entries", m.Source, maxHosted)
		case len(m.Mirrors) > maxHosted, slices.ContainsFunc(append(m.Mirrors, m.Source), func(s string) bool { return len(s) > maxHosted }):
			w.lose("", "the mirrors of %.60s: imageContentSources takes %d mirrors of %d characters", m.Source, maxHosted, maxHosted)
		default:
			fits = append(fits, m)
		}
	}
	data, err := encodeYAML(document{
		APIVersion: "hypershift.openshift.io/v1beta1", Kind: "HostedCluster", Metadata: metadata{Name: name, Namespace: namespace}, Spec: spec{ImageContentSources: fits},
	})
	w.add("hostedcluster.yaml", data)
	return err
}
