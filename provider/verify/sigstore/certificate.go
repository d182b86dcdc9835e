package sigstore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// parseCertificates reads PEM blocks, all of which have to be certificates.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("not a PEM block of a certificate")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
		data = rest
	}
	return out, nil
}

// chain is the certificate that came with a signature, and what is between it and a root.
type chain struct {
	leaf          *x509.Certificate
	intermediates []*x509.Certificate
}

func parseChain(a Attachment) (chain, error) {
	leaf, ok := a.Annotations[certificateAnnotation]
	if !ok {
		return chain{}, fmt.Errorf("the signature has no annotation %s", certificateAnnotation)
	}
	certs, err := parseCertificates([]byte(leaf))
	if err != nil || len(certs) != 1 {
		return chain{}, fmt.Errorf("the annotation %s has %d certificates, not one (%v)", certificateAnnotation, len(certs), err)
	}
	c := chain{leaf: certs[0]}
	above, err := parseCertificates([]byte(a.Annotations[chainAnnotation]))
	if err != nil {
		return chain{}, fmt.Errorf("the annotation %s: %w", chainAnnotation, err)
	}
	if len(above) > 1 {
		c.intermediates = above[:len(above)-1] // the last one is a root, which the policy has to name
	}
	return c, nil
}

// verify checks the chain up to one of roots, at a time; zero is now.
func (c chain) verify(roots, more []*x509.Certificate, at time.Time) error {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	for _, r := range roots {
		opts.Roots.AddCert(r)
	}
	for _, i := range slices.Concat(c.intermediates, more) {
		opts.Intermediates.AddCert(i)
	}
	if _, err := c.leaf.Verify(opts); err != nil {
		return fmt.Errorf("the certificate of the signature: %w", err)
	}
	return nil
}

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidIssuer         = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1} // of Fulcio, in plain text
	oidIssuerV2       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8} // of Fulcio, in DER
)

// verifyFulcio returns the key of a certificate that Fulcio issued to a subject, and that
// was valid when the signature was logged.
func (c chain) verifyFulcio(f *Fulcio, at time.Time) (crypto.PublicKey, error) {
	leaf := *c.leaf
	// Package x509 does not understand a subject of Fulcio's kind. It is compared below.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), oidSubjectAltName.Equal)
	c.leaf = &leaf
	if err := c.verify(f.CAs, nil, at); err != nil {
		return nil, err
	}
	issuer, err := fulcioIssuer(&leaf)
	switch {
	case err != nil:
		return nil, err
	case issuer != f.OIDCIssuer:
		return nil, fmt.Errorf("the certificate of the signature names the OIDC issuer %.200q, not %q", issuer, f.OIDCIssuer)
	case !slices.Contains(leaf.EmailAddresses, f.Email):
		return nil, fmt.Errorf("the certificate of the signature is not of %q", f.Email)
	}
	return leaf.PublicKey, nil
}

func fulcioIssuer(c *x509.Certificate) (string, error) {
	var found []string
	for _, e := range c.Extensions {
		switch {
		case e.Id.Equal(oidIssuer):
			found = append(found, string(e.Value))
		case e.Id.Equal(oidIssuerV2):
			var s string
			if rest, err := asn1.Unmarshal(e.Value, &s); err != nil || len(rest) > 0 {
				return "", errors.New("the OIDC issuer in the certificate of the signature cannot be read")
			}
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return "", errors.New("the certificate of the signature names no OIDC issuer")
	case len(found) > 1 && found[0] != found[1]:
		return "", errors.New("the certificate of the signature names two OIDC issuers")
	}
	return found[0], nil
}

// verifyPKI returns the key of a certificate that one of the policy's own authorities
// issued to its subject.
func (c chain) verifyPKI(p *PKI) (crypto.PublicKey, error) {
	if err := c.verify(p.Roots, p.Intermediates, time.Time{}); err != nil {
		return nil, err
	}
	if p.Email != "" && !slices.Contains(c.leaf.EmailAddresses, p.Email) {
		return nil, fmt.Errorf("the certificate of the signature is not of %q", p.Email)
	}
	if p.Hostname != "" {
		if err := c.leaf.VerifyHostname(p.Hostname); err != nil {
			return nil, fmt.Errorf("the certificate of the signature: %w", err)
		}
	}
	return c.leaf.PublicKey, nil
}
