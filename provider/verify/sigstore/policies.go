package sigstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Policies are image policies by scope, as the pods of one namespace meet them, or those
// of the whole cluster. They are immutable; the zero value requires nothing.
type Policies struct {
	id         string
	scopes     map[string][]Requirement
	namespaces map[string]map[string][]Requirement // all scopes, those of the cluster included
	overruled  []Overruled
}

// Overruled is a scope of an ImagePolicy that is not in force.
type Overruled struct {
	Policy string // the ImagePolicy, for a person
	Scope  string // its scope
	By     string // the scope of a ClusterImagePolicy
}

// NewPolicies merges policies. Where several of the cluster, or several of one namespace,
// name one scope, an image in it has to meet all of them. One that cannot be read is an
// error, as it would stop the machine-config operator.
//
// An ImagePolicy concerns the pods of its namespace, see [Policies.In]. A scope of it that
// a ClusterImagePolicy names too, or that is nested in one, is not in force (the
// documentation of config.openshift.io/v1, ImagePolicySpec.scopes).
func NewPolicies(all ...ImagePolicy) (Policies, error) {
	p := Policies{scopes: make(map[string][]Requirement)}
	var errs []error
	var texts []string
	var namespaced []*ImagePolicy
	for i := range all {
		text, err := all[i].check()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		texts = append(texts, text)
		if all[i].Kind == imagePolicyKind {
			namespaced = append(namespaced, &all[i])
			continue
		}
		all[i].addTo(p.scopes, nil)
	}
	for _, n := range namespaced {
		p.addNamespaced(n)
	}
	if len(texts) > 0 {
		slices.Sort(texts)
		p.id = hash(texts...)
	}
	return p, errors.Join(errs...)
}

// check returns a text that equal policies have in common, or what is wrong with p.
func (p *ImagePolicy) check() (string, error) {
	_, err := p.Requirement()
	switch {
	case err != nil:
		return "", err
	case len(p.Spec.Scopes) == 0:
		return "", fmt.Errorf("%s: it has no scope", p.origin())
	case p.Kind == imagePolicyKind && p.Metadata.Namespace == "":
		return "", fmt.Errorf("%s: it has no namespace; an ImagePolicy concerns the pods of one", p.origin())
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// addTo adds what p requires to scopes, but for scopes that skip returns true for.
func (p *ImagePolicy) addTo(scopes map[string][]Requirement, skip func(scope string) bool) {
	r, err := p.Requirement()
	if err != nil {
		return // it was checked
	}
	for _, s := range p.Spec.Scopes {
		if skip == nil || !skip(s) {
			scopes[s] = append(slices.Clip(scopes[s]), r)
		}
	}
}

func (p *Policies) addNamespaced(n *ImagePolicy) {
	scopes := p.namespaces[n.Metadata.Namespace]
	if scopes == nil {
		scopes = maps.Clone(p.scopes)
		if p.namespaces == nil {
			p.namespaces = make(map[string]map[string][]Requirement)
		}
		p.namespaces[n.Metadata.Namespace] = scopes
	}
	n.addTo(scopes, func(scope string) bool {
		for _, of := range p.Scopes() {
			if IsNested(scope, of) {
				p.overruled = append(p.overruled, Overruled{n.origin(), scope, of})
				return true
			}
		}
		return false
	})
}

// IsNested reports whether scope is of, or in it, as the machine-config operator compares
// scopes: by parts of the path, and by domains under a wildcard. A tag or digest of a
// repository is not in the repository for it (openshift/runtime-utils, pkg/registries).
func IsNested(scope, of string) bool {
	domain, wildcard := strings.CutPrefix(of, "*")
	if !wildcard {
		rest, ok := strings.CutPrefix(scope, of)
		return ok && (rest == "" || rest[0] == '/')
	}
	if host, _, hasPort := strings.Cut(scope, ":"); hasPort {
		return strings.HasSuffix(host, domain) && !strings.Contains(host, "/")
	}
	host, _, _ := strings.Cut(scope, "/")
	return strings.HasSuffix(host, domain)
}

// In returns the policies that the pods of a namespace meet: those of the cluster, and the
// namespace's own for scopes that the cluster does not name, as CRI-O reads them from
// /etc/crio/policies/NAMESPACE.json.
func (p Policies) In(namespace string) Policies {
	own, ok := p.namespaces[namespace]
	if !ok {
		return Policies{id: p.id, scopes: p.scopes}
	}
	return Policies{id: hash(p.id, namespace), scopes: own}
}

// ID returns a hash of the policies: the same policies have the same ID in any process. It
// is "" for none.
func (p Policies) ID() string { return p.id }

// Overruled returns the scopes of ImagePolicies that are not in force, because a
// ClusterImagePolicy names them or a scope around them.
func (p Policies) Overruled() []Overruled { return slices.Clone(p.overruled) }

func hash(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Scopes returns the scopes, sorted.
func (p Policies) Scopes() []string {
	var out []string
	for s := range p.scopes {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// For returns the scope that applies to an image, and what it requires: "" and nil where
// no scope does. image is the logical reference in full form. The first of [ScopesOf]
// counts that has a policy.
func (p Policies) For(image imageref.Ref) (scope string, required []Requirement) {
	for s := range ScopesOf(image) {
		if r, ok := p.scopes[s]; ok {
			return s, r
		}
	}
	return "", nil
}

// ScopesOf returns the names under which policy.json and registries.d of a node may have an
// entry for an image, in the order in which they are looked for: the reference itself, its
// repository, each parent, the registry, and then *.DOMAIN for each parent domain of the
// registry's host (containers/image, docker/policyconfiguration).
func ScopesOf(image imageref.Ref) iter.Seq[string] {
	image = image.Normalize()
	return func(yield func(string) bool) {
		if !yield(image.String()) {
			return
		}
		name := image.Name()
		for {
			if !yield(name) {
				return
			}
			at := strings.LastIndexByte(name, '/')
			if at < 0 {
				break
			}
			name = name[:at]
		}
		host, _, _ := strings.Cut(name, ":")
		for {
			_, parent, ok := strings.Cut(host, ".")
			if !ok || !yield("*."+parent) {
				return
			}
			host = parent
		}
	}
}
