package node

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Admission says which images a node runs at all, whoever serves them: what policy.json has
// beside image policies. A blocked scope keeps images from running also where a mirror has
// them, because policy.json knows the names in pods alone. The zero value lets all run. It
// is immutable.
type Admission struct {
	scopes   map[string]entry
	rejects  bool     // images that no scope names
	conflict error    // that alone makes the machine-config operator write nothing
	allowed  []string // image policies have to lie in one of them if there are any
}

// entry is what policy.json says of a scope: reject, or else insecureAcceptAnything.
type entry struct {
	reject bool
	origin string // of the entry, for a person
}

// NewAdmission returns what the machine-config operator makes of the blocked scopes of rules,
// and of the allowed ones of policies, those that rules come from (its updatePolicyJSON and
// getValidBlockedAndAllowedRegistries). The repository of a release that a cluster runs,
// policies say which, is allowed where a blocked scope is around it; where they do not say,
// running is taken for it.
//
// If nothing is blocked but that repository by its own name, it is the only one that is
// allowed. That is what the machine-config operator makes of it.
func NewAdmission(rules *policy.Rules, policies []policy.Policy, running ...imageref.Ref) Admission {
	a := Admission{scopes: make(map[string]entry)}
	var errs []error
	var payloads []imageref.Ref
	for _, p := range policies {
		for _, s := range p.Allowed {
			a.scopes[s.Name] = entry{origin: s.Origin}
			a.allowed = append(a.allowed, s.Name)
			if !isScope(s.Name) {
				errs = append(errs, fmt.Errorf("%s: %q is no scope: want HOST[:PORT][/PATH] or *.DOMAIN", s.Origin, s.Name))
			}
		}
		for _, r := range p.Payloads {
			payloads = append(payloads, r.Image)
		}
	}
	if len(payloads) == 0 {
		payloads = running
	}
	isStated := len(a.allowed) > 0
	blocked := rules.Blocked()
	for _, b := range blocked {
		a.scopes[b.Name] = entry{true, b.Origin}
	}
	for _, image := range payloads {
		for _, b := range blocked {
			if sigstore.IsNested(image.Name(), b.Name) {
				a.scopes[image.Name()] = entry{origin: "the release that runs"}
				a.allowed = append(a.allowed, image.Name())
			}
		}
	}
	isBlocked := slices.ContainsFunc(slices.Collect(maps.Values(a.scopes)), func(e entry) bool { return e.reject })
	isPayload := func(r imageref.Ref) bool { return len(a.allowed) == 1 && a.allowed[0] == r.Name() }
	switch {
	case !isBlocked:
		a.rejects = len(a.allowed) > 0
	case len(a.allowed) == 0 || slices.ContainsFunc(payloads, isPayload):
	case isStated:
		a.rejects = true
		errs = append(errs, errors.New("allowedRegistries and blockedRegistries are both set; leave one of them"))
	default:
		errs = append(errs, fmt.Errorf("blockedRegistries has several scopes around %s, the repository of the release that runs; leave one of them", a.allowed[0]))
	}
	a.conflict = errors.Join(errs...)
	return a
}

// isScope reports whether a scope is one that the machine-config operator writes
// (IsValidRegistriesConfScope of openshift/runtime-utils).
func isScope(s string) bool {
	domain, isWildcard := strings.CutPrefix(s, "*.")
	return s != "" && (!strings.Contains(s, "*") || isWildcard && !strings.ContainsAny(domain, "/@:*"))
}

// RejectsOthers reports whether images that no scope names are rejected.
func (a Admission) RejectsOthers() bool { return a.rejects }

// Scopes yields the scopes and whether the images in them are rejected. Where one scope lies
// in another, it counts for its images.
func (a Admission) Scopes() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for name, e := range a.scopes {
			if !yield(name, e.reject) {
				return
			}
		}
	}
}

// Check returns an error if the machine-config operator writes no files for this and the
// image policies of a cluster. Nodes keep those that they have then.
func (a Admission) Check(policies ...sigstore.ImagePolicy) error {
	errs := []error{a.conflict}
	for _, p := range policies {
		for _, s := range p.Spec.Scopes {
			if len(a.allowed) > 0 && !slices.ContainsFunc(a.allowed, func(of string) bool { return sigstore.IsNested(s, of) }) {
				errs = append(errs, fmt.Errorf("%s %s: its scope %s lies in no allowed registry; allowed are %v", p.Kind, p.Metadata.Name, s, a.allowed))
			}
			for _, name := range slices.Sorted(maps.Keys(a.scopes)) {
				if e := a.scopes[name]; e.reject && sigstore.IsNested(s, name) {
					errs = append(errs, fmt.Errorf("%s %s: its scope %s lies in %s, which is blocked (%s)", p.Kind, p.Metadata.Name, s, name, e.origin))
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("the machine-config operator writes no files for these policies: %w", err)
	}
	return nil
}

// RejectedError says that policy.json rejects an image, whoever serves it.
type RejectedError struct {
	Image  imageref.Ref // the logical reference
	Scope  string       // the blocked scope; "" for an image that is in no allowed one
	Origin string       // of the scope, for a person
}

func (e *RejectedError) Error() string { return e.Image.String() + ": " + e.Reason() }

// Reason returns the error without the image.
func (e *RejectedError) Reason() string {
	if e.Scope == "" {
		return "nodes reject it, whoever serves it: it is in none of allowedRegistries"
	}
	return fmt.Sprintf("nodes reject it, whoever serves it: %s is blocked (%s)", e.Scope, e.Origin)
}

// Judges reports whether an image has to meet more than that an endpoint has it: a signature
// is required, or the node rejects it.
func (n Node) Judges(image imageref.Ref) bool {
	_, required, err := n.require(image.Normalize())
	return err != nil || len(required) > 0
}

// require returns what an image has to meet. The most specific entry of policy.json counts,
// whether it is of an image policy or of Admission.
func (n Node) require(logical imageref.Ref) (scope string, required []sigstore.Requirement, err error) {
	scope, required = n.Policies.For(logical)
	for s := range sigstore.ScopesOf(logical) {
		e, ok := n.Admission.scopes[s]
		switch {
		case ok && e.reject:
			return s, nil, &RejectedError{logical, s, e.origin}
		case s == scope && len(required) > 0:
			return scope, required, nil
		case ok:
			return "", nil, nil
		}
	}
	if n.Admission.rejects {
		return "", nil, &RejectedError{Image: logical}
	}
	return "", nil, nil
}
