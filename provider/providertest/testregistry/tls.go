package testregistry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync/atomic"
	"time"
)

// CertificateKind is a certificate to show in handshakes.
type CertificateKind uint8

const (
	// ValidCertificate is good for the registry's host and names.
	ValidCertificate CertificateKind = iota
	// UnknownAuthority is right in all but who signed it.
	UnknownAuthority
	// Expired ran out yesterday.
	Expired
	// WrongName is for a host of another name.
	WrongName
	certificateKinds
)

// CA is a certificate authority that lives in memory.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// NewCA makes an authority.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "testregistry CA"},
		NotAfter: time.Now().Add(24 * time.Hour), NotBefore: time.Now().Add(-48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if t.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	return &CA{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// Pool holds the authority's certificate and no other.
func (c *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// PEM returns the authority's certificate.
func (c *CA) PEM() []byte { return append([]byte(nil), c.pem...) }

// ClientCertificate issues a certificate for a client of that name.
func (c *CA) ClientCertificate(name string) (certPEM, keyPEM []byte, err error) {
	cert, err := c.leaf([]string{name}, time.Now().Add(12*time.Hour))
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), nil
}

func (c *CA) leaf(names []string, notAfter time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-47 * time.Hour), NotAfter: notAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	if t.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, c.cert, &key.PublicKey, c.key)
	if err != nil {
		return nil, fmt.Errorf("issuing a certificate for %s: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func serial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

// certificates are those of an endpoint, one of them in use.
type certificates struct {
	all  [certificateKinds]*tls.Certificate
	kind atomic.Uint32
}

func (c *certificates) issue(ca *CA, names []string) error {
	other, err := NewCA()
	if err != nil {
		return err
	}
	good := time.Now().Add(12 * time.Hour)
	for kind, make := range map[CertificateKind]func() (*tls.Certificate, error){
		ValidCertificate: func() (*tls.Certificate, error) { return ca.leaf(names, good) },
		UnknownAuthority: func() (*tls.Certificate, error) { return other.leaf(names, good) },
		Expired:          func() (*tls.Certificate, error) { return ca.leaf(names, time.Now().Add(-24*time.Hour)) },
		WrongName:        func() (*tls.Certificate, error) { return ca.leaf([]string{"elsewhere.example.com"}, good) },
	} {
		if c.all[kind], err = make(); err != nil {
			return err
		}
	}
	return nil
}

func (c *certificates) use(k CertificateKind) { c.kind.Store(uint32(k)) }

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.all[c.kind.Load()], nil
}
