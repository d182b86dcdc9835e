package registry

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"slices"
)

// TLS is what is special about one registry. The zero value is nothing.
type TLS struct {
	// RootCAs are trusted, and no others; nil is Config.RootCAs.
	RootCAs *x509.CertPool
	// Shared says that RootCAs say nothing of this registry alone: every registry has them.
	// Where another registry leads here, that one's roots are trusted.
	Shared bool
	// Certificates are the client's, for registries that ask for one.
	Certificates []tls.Certificate
	// SkipVerify accepts any certificate. Unlike a request's Insecure it does
	// not allow plain HTTP.
	SkipVerify bool
	// Unread says which files could not be read, and why; "" is none. It is told where
	// TLS fails.
	Unread string
}

// config returns the configuration for one host. insecure skips verification as well.
func (t TLS) config(roots *x509.CertPool, insecure bool) *tls.Config {
	if t.RootCAs != nil {
		roots = t.RootCAs
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            roots,
		Certificates:       t.Certificates,
		InsecureSkipVerify: insecure || t.SkipVerify, // only where policy or user says so
	}
}

// equal tells whether connections made under t are good under o.
func (t TLS) equal(o TLS) bool {
	sameRoots := t.RootCAs == o.RootCAs || t.RootCAs != nil && o.RootCAs != nil && t.RootCAs.Equal(o.RootCAs)
	return sameRoots && t.Shared == o.Shared && t.SkipVerify == o.SkipVerify && t.Unread == o.Unread &&
		slices.EqualFunc(t.Certificates, o.Certificates, func(a, b tls.Certificate) bool {
			return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
		})
}
