package nodefiles

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// requirement is an entry of containers-policy.json(5).
type requirement struct {
	Type     string    `json:"type"`
	Key      []byte    `json:"keyData,omitempty"`
	Rekor    []byte    `json:"rekorPublicKeyData,omitempty"`
	Fulcio   *fulcio   `json:"fulcio,omitempty"`
	PKI      *pki      `json:"pki,omitempty"`
	Identity *identity `json:"signedIdentity,omitempty"`
}

type fulcio struct {
	CAs    []byte `json:"caData"`
	Issuer string `json:"oidcIssuer"`
	Email  string `json:"subjectEmail"`
}

type pki struct {
	Roots         []byte `json:"caRootsData"`
	Intermediates []byte `json:"caIntermediatesData,omitempty"`
	Email         string `json:"subjectEmail,omitempty"`
	Hostname      string `json:"subjectHostname,omitempty"`
}

type identity struct {
	Type         string `json:"type"`
	Repository   string `json:"dockerRepository,omitempty"`
	Prefix       string `json:"prefix,omitempty"`
	SignedPrefix string `json:"signedPrefix,omitempty"`
}

// matches are the names of policy.json for those of image policies.
var matches = map[sigstore.Match]string{
	sigstore.MatchRepoDigestOrExact: "matchRepoDigestOrExact", sigstore.MatchRepository: "matchRepository",
	sigstore.ExactRepository: "exactRepository", sigstore.RemapIdentity: "remapIdentity",
}

var accept, reject = []requirement{{Type: "insecureAcceptAnything"}}, []requirement{{Type: "reject"}}

// policyJSON says which images may run: those that admission lets run, and in the scopes of
// policies only if they are signed.
func policyJSON(admission node.Admission, policies []sigstore.ImagePolicy) ([]byte, error) {
	if err := check(admission, policies); err != nil {
		return nil, err
	}
	scopes := make(map[string][]requirement)
	for i := range policies {
		r := requirementOf(&policies[i])
		for _, s := range policies[i].Spec.Scopes {
			scopes[s] = append(scopes[s], r)
		}
	}
	for s, isRejected := range admission.Scopes() {
		switch {
		case isRejected:
			scopes[s] = reject
		case scopes[s] == nil: // else it has to be signed
			scopes[s] = accept
		}
	}
	others := accept
	if admission.RejectsOthers() {
		others = reject
	}
	transports := map[string]map[string][]requirement{"docker-daemon": {"": accept}}
	if len(scopes) > 0 {
		// The transport "atomic" has no scopes of more parts than these.
		atomic := make(map[string][]requirement)
		for s, r := range scopes {
			if strings.Count(s, "/") < 3 {
				atomic[s] = r
			}
		}
		transports["docker"], transports["atomic"] = scopes, atomic
	}
	out, err := json.MarshalIndent(struct {
		Default    []requirement                       `json:"default"`
		Transports map[string]map[string][]requirement `json:"transports"`
	}{others, transports}, "", "  ")
	return append(out, '\n'), err
}

// check refuses what makes the machine-config operator render nothing.
func check(admission node.Admission, policies []sigstore.ImagePolicy) error {
	if _, err := sigstore.NewPolicies(policies...); err != nil {
		return err
	}
	for i := range policies {
		if p := &policies[i]; p.Kind != "ClusterImagePolicy" {
			return fmt.Errorf("%s %s: only a ClusterImagePolicy holds for all pods of a node", p.Kind, p.Metadata.Name)
		}
	}
	return admission.Check(policies...)
}

// requirementOf returns what a policy without errors requires.
func requirementOf(p *sigstore.ImagePolicy) requirement {
	r := requirement{Type: "sigstoreSigned", Identity: &identity{Type: matches[sigstore.MatchRepoDigestOrExact]}}
	root := &p.Spec.Policy.RootOfTrust
	switch {
	case root.PublicKey != nil:
		r.Key, r.Rekor = root.PublicKey.KeyData, root.PublicKey.RekorKeyData
	case root.FulcioCAWithRekor != nil:
		f := root.FulcioCAWithRekor
		r.Rekor, r.Fulcio = f.RekorKeyData, &fulcio{f.FulcioCAData, f.FulcioSubject.OIDCIssuer, f.FulcioSubject.SignedEmail}
	case root.PKI != nil:
		k := root.PKI
		r.PKI = &pki{k.CARootsData, k.CAIntermediatesData, k.PKICertificateSubject.Email, k.PKICertificateSubject.Hostname}
	}
	if s := p.Spec.Policy.SignedIdentity; s != nil {
		r.Identity.Type = matches[s.MatchPolicy]
		switch s.MatchPolicy {
		case sigstore.ExactRepository:
			r.Identity.Repository = s.ExactRepository.Repository
		case sigstore.RemapIdentity:
			r.Identity.Prefix, r.Identity.SignedPrefix = s.RemapIdentity.Prefix, s.RemapIdentity.SignedPrefix
		}
	}
	return r
}
