package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	_ "embed" // the key of the built-in policy
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// imagePolicyKind is the kind of policies for the pods of a namespace.
const imagePolicyKind = "ImagePolicy"

// ImagePolicy is the part of a ClusterImagePolicy, or of an ImagePolicy, that matters here,
// as its JSON has it (config.openshift.io/v1 and v1alpha1).
type ImagePolicy struct {
	APIVersion string `json:"apiVersion"` // config.openshift.io/v1 or v1alpha1
	Kind       string `json:"kind"`       // ClusterImagePolicy or ImagePolicy
	// Metadata names the object.
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	// Spec says which images have to be signed, and by whom.
	Spec struct {
		Scopes []string `json:"scopes"`
		Policy struct {
			RootOfTrust struct {
				PolicyType string `json:"policyType"`
				PublicKey  *struct {
					KeyData      []byte `json:"keyData"`
					RekorKeyData []byte `json:"rekorKeyData"`
				} `json:"publicKey"`
				FulcioCAWithRekor *struct {
					FulcioCAData  []byte `json:"fulcioCAData"`
					RekorKeyData  []byte `json:"rekorKeyData"`
					FulcioSubject struct {
						OIDCIssuer  string `json:"oidcIssuer"`
						SignedEmail string `json:"signedEmail"`
					} `json:"fulcioSubject"`
				} `json:"fulcioCAWithRekor"`
				PKI *struct {
					CARootsData           []byte `json:"caRootsData"`
					CAIntermediatesData   []byte `json:"caIntermediatesData"`
					PKICertificateSubject struct {
						Email    string `json:"email"`
						Hostname string `json:"hostname"`
					} `json:"pkiCertificateSubject"`
				} `json:"pki"`
			} `json:"rootOfTrust"`
			SignedIdentity *struct {
				MatchPolicy     Match `json:"matchPolicy"`
				ExactRepository *struct {
					Repository string `json:"repository"`
				} `json:"exactRepository"`
				RemapIdentity *struct {
					Prefix       string `json:"prefix"`
					SignedPrefix string `json:"signedPrefix"`
				} `json:"remapIdentity"`
			} `json:"signedIdentity"`
		} `json:"policy"`
	} `json:"spec"`
	Origin string `json:"-"` // the file, or the cluster
}

// origin returns the policy as a person would point at it.
func (p *ImagePolicy) origin() string {
	name := strings.ToLower(p.Kind) + "/"
	if p.Metadata.Namespace != "" {
		name += p.Metadata.Namespace + "/"
	}
	return strings.TrimPrefix(p.Origin+" "+name+p.Metadata.Name, " ")
}

// Requirement returns what the policy requires, or what is wrong with it.
func (p *ImagePolicy) Requirement() (Requirement, error) {
	r, err := p.rootOfTrust()
	if err == nil {
		r.Identity, err = p.identity()
	}
	if err != nil {
		return Requirement{}, fmt.Errorf("%s: %w", p.origin(), err)
	}
	r.Origin = p.origin()
	return r, nil
}

func (p *ImagePolicy) rootOfTrust() (r Requirement, err error) {
	root := &p.Spec.Policy.RootOfTrust
	set := 0
	for _, is := range []bool{root.PublicKey != nil, root.FulcioCAWithRekor != nil, root.PKI != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return r, fmt.Errorf("rootOfTrust has %d of publicKey, fulcioCAWithRekor and pki; want the one that policyType names", set)
	}
	switch {
	case root.PolicyType == "PublicKey" && root.PublicKey != nil:
		if r.PublicKey, err = parseKey("publicKey.keyData", root.PublicKey.KeyData); err == nil && len(root.PublicKey.RekorKeyData) > 0 {
			r.Rekor, err = parseRekorKey("publicKey.rekorKeyData", root.PublicKey.RekorKeyData)
		}
	case root.PolicyType == "FulcioCAWithRekor" && root.FulcioCAWithRekor != nil:
		f := root.FulcioCAWithRekor
		r.Fulcio = &Fulcio{OIDCIssuer: f.FulcioSubject.OIDCIssuer, Email: f.FulcioSubject.SignedEmail}
		if _, bad := url.Parse(r.Fulcio.OIDCIssuer); bad != nil || r.Fulcio.OIDCIssuer == "" || r.Fulcio.Email == "" {
			return r, errors.New("fulcioCAWithRekor.fulcioSubject needs an oidcIssuer, which is a URL, and a signedEmail")
		}
		if r.Fulcio.CAs, err = parseAuthorities("fulcioCAWithRekor.fulcioCAData", f.FulcioCAData); err == nil {
			r.Rekor, err = parseRekorKey("fulcioCAWithRekor.rekorKeyData", f.RekorKeyData)
		}
	case root.PolicyType == "PKI" && root.PKI != nil:
		k := root.PKI
		r.PKI = &PKI{Email: k.PKICertificateSubject.Email, Hostname: k.PKICertificateSubject.Hostname}
		if r.PKI.Email == "" && r.PKI.Hostname == "" {
			return r, errors.New("pki.pkiCertificateSubject needs an email or a hostname")
		}
		if r.PKI.Roots, err = parseAuthorities("pki.caRootsData", k.CARootsData); err == nil && len(k.CAIntermediatesData) > 0 {
			r.PKI.Intermediates, err = parseAuthorities("pki.caIntermediatesData", k.CAIntermediatesData)
		}
	default:
		return r, fmt.Errorf("the policyType %.50q is not supported, or rootOfTrust does not have its field", root.PolicyType)
	}
	return r, err
}

func (p *ImagePolicy) identity() (Identity, error) {
	s := p.Spec.Policy.SignedIdentity
	if s == nil {
		return Identity{Match: MatchRepoDigestOrExact}, nil
	}
	id := Identity{Match: s.MatchPolicy}
	switch {
	case id.Match == ExactRepository && s.ExactRepository != nil && s.ExactRepository.Repository != "":
		id.Repository = s.ExactRepository.Repository
	case id.Match == RemapIdentity && s.RemapIdentity != nil && s.RemapIdentity.Prefix != "" && s.RemapIdentity.SignedPrefix != "":
		id.Prefix, id.SignedPrefix = s.RemapIdentity.Prefix, s.RemapIdentity.SignedPrefix
	case id.Match == MatchRepoDigestOrExact || id.Match == MatchRepository:
	default:
		return Identity{}, fmt.Errorf("signedIdentity: the matchPolicy %.50q is not supported, or its field is missing", id.Match)
	}
	return id, nil
}

func parseKey(field string, data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM block in it", field)
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		err = fmt.Errorf("a PEM block %.50q is not a public key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return key, nil
}

func parseRekorKey(field string, data []byte) ([]*ecdsa.PublicKey, error) {
	key, err := parseKey(field, data)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s: a transparency log has an ECDSA key, not a %T", field, key)
	}
	return []*ecdsa.PublicKey{k}, nil
}

func parseAuthorities(field string, data []byte) ([]*x509.Certificate, error) {
	certs, err := parseCertificates(data)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return certs, nil
}

//go:embed keys/redhat-release.pub
var redHatKey []byte

// OpenShift returns the ClusterImagePolicy "openshift" that a release brings along, by the
// minor version of OpenShift 4: from 21 on it covers release images, from 22 on components
// too. Earlier versions have none that is on by default.
func OpenShift(minor int) (ImagePolicy, bool) {
	var p ImagePolicy
	if minor < 21 {
		return p, false
	}
	p.APIVersion, p.Kind, p.Metadata.Name = "config.openshift.io/v1", "ClusterImagePolicy", "openshift"
	p.Origin = fmt.Sprintf("OpenShift 4.%d", minor)
	p.Spec.Scopes = []string{"quay.io/openshift-release-dev/ocp-release"}
	if minor > 21 {
		p.Spec.Scopes = append(p.Spec.Scopes, "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "quay.io/openshift-release-dev/ocp-v5.0-art-dev")
	}
	root := &p.Spec.Policy.RootOfTrust
	root.PolicyType = "PublicKey"
	root.PublicKey = &struct {
		KeyData      []byte `json:"keyData"`
		RekorKeyData []byte `json:"rekorKeyData"`
	}{KeyData: slices.Clone(redHatKey)}
	return p, true
}
