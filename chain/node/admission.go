package node

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Admission says which images a node runs at all, whoever serves them: what policy.json has
// beside image policies. A blocked scope keeps images from running also where a mirror has
// them, because policy.json knows the names in pods alone. The zero value lets all run. It
// is immutable.
type Admission struct {
	scopes  map[string]entry
	allowed bool // images that no scope names are rejected
}

// entry is what policy.json says of a scope: reject, or else insecureAcceptAnything.
type entry struct {
	reject bool
	origin string // of the entry, for a person
}

// NewAdmission returns what the machine-config operator makes of the blocked scopes of rules,
// and of the allowed ones of policies, those that rules come from (its updatePolicyJSON and
// getValidBlockedAndAllowedRegistries). The repository of a release that a cluster runs,
// policies say which, is not rejected; where they do not say, running is taken for it.
func NewAdmission(rules *policy.Rules, policies []policy.Policy, running ...imageref.Ref) Admission {
	a := Admission{scopes: make(map[string]entry)}
	var stated []imageref.Ref
	for _, p := range policies {
		for _, s := range p.Allowed {
			a.allowed = true
			a.scopes[s.Name] = entry{origin: s.Origin}
		}
		for _, r := range p.Payloads {
			stated = append(stated, r.Image)
		}
	}
	if len(stated) > 0 {
		running = stated
	}
	for _, b := range rules.Blocked() {
		a.scopes[b.Name] = entry{true, b.Origin}
	}
	for _, b := range rules.Blocked() {
		for _, r := range running {
			if isAround(b.Name, r) {
				a.scopes[r.Name()] = entry{origin: "the release that runs"}
			}
		}
	}
	return a
}

func isAround(scope string, image imageref.Ref) bool {
	for s := range sigstore.ScopesOf(image) {
		if s == scope {
			return true
		}
	}
	return false
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
	if n.Admission.allowed {
		return "", nil, &RejectedError{Image: logical}
	}
	return "", nil, nil
}
