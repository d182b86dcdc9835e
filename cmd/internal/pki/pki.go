// Package pki makes the certificate that a server in a cluster shows, and
// the authority that signed it, and says when they are to be made anew. It knows
// nothing of Secrets but the keys of their data.
//
// One authority signs one certificate, and both are kept beside their keys. The package
// also has the TLS settings of listeners, see [ServerConfig].
package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// Keys of a kubernetes.io/tls Secret.
const (
	CertKey = "tls.crt"
	KeyKey  = "tls.key"
)

// Config says what is signed for whom.
type Config struct {
	// Authority is the name of the authority.
	Authority string
	// Name is the common name of the certificate.
	Name string
	// Hosts are the DNS names and IP addresses that the certificate is for. Their
	// order does not matter.
	Hosts []string
	// Day is what lifetimes are counted in; 24 h if zero. HyperShift's
	// CERT_ROTATION_SCALE: a shorter one makes rotation happen within a test.
	Day time.Duration
}

// Lifetimes, in days, and how many are left when a new certificate is made. The
// authority always outlives what it signs.
const (
	authorityDays, authorityRenew = 3650, 730
	servingDays, servingRenew     = 365, 73
)

// skew is how far clocks may disagree.
const skew = 5 * time.Minute

// Pair is a certificate with its key, in PEM: the data of a Secret.
type Pair struct {
	Cert, Key []byte
}

// Data returns the pair as the data of a Secret.
func (p Pair) Data() map[string][]byte { return map[string][]byte{CertKey: p.Cert, KeyKey: p.Key} }

// FromData returns the pair that the data of a Secret holds, perhaps an empty one.
func FromData(data map[string][]byte) Pair { return Pair{data[CertKey], data[KeyKey]} }

// Result is what is to be in force.
type Result struct {
	Authority, Serving Pair
	// Renew is when to ask again.
	Renew time.Time
}

// Ensure gives back what is there as far as it is good, and makes the rest.
//
// A new authority is made where there is none that can be read. One that nears its
// end is signed anew with the key and the name it had, so that clients which trust
// the old one trust what the new one signs. A new serving certificate is made where
// the one there cannot be read, nears its end, is for other hosts or was not signed
// by the authority.
func Ensure(cfg Config, authority, serving Pair, now time.Time) (Result, error) {
	if cfg.Day <= 0 {
		cfg.Day = 24 * time.Hour
	}
	if len(cfg.Hosts) == 0 {
		return Result{}, errors.New("making a serving certificate: no hosts to make it for")
	}
	ca, err := cfg.ensureAuthority(authority, now)
	if err != nil {
		return Result{}, fmt.Errorf("making the authority %s: %w", cfg.Authority, err)
	}
	cert, err := cfg.ensureServing(serving, ca, now)
	if err != nil {
		return Result{}, fmt.Errorf("making the certificate of %s: %w", cfg.Name, err)
	}
	renew := cert.cert.NotAfter.Add(-servingRenew * cfg.Day)
	if other := ca.cert.NotAfter.Add(-authorityRenew * cfg.Day); other.Before(renew) {
		renew = other
	}
	return Result{Authority: ca.Pair, Serving: cert.Pair, Renew: renew}, nil
}

// parsed is a pair that could be read.
type parsed struct {
	Pair
	cert *x509.Certificate
	key  crypto.Signer
}

// parse reads keys of any kind, for what is there may be HyperShift's.
func parse(p Pair) (parsed, error) {
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return parsed{}, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return parsed{}, errors.New("the key cannot sign")
	}
	return parsed{p, pair.Leaf, key}, nil
}

func (c Config) ensureAuthority(have Pair, now time.Time) (parsed, error) {
	old, err := parse(have)
	usable := err == nil && old.cert.IsCA && old.cert.Subject.CommonName == c.Authority
	if usable && now.Before(old.cert.NotAfter.Add(-authorityRenew*c.Day)) {
		return old, nil
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: c.Authority, OrganizationalUnit: []string{"openshift"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(authorityDays * c.Day),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if usable {
		// Clients find the authority by these.
		template.RawSubject, template.SubjectKeyId = old.cert.RawSubject, old.cert.SubjectKeyId
		return sign(template, template, old.key, old.key)
	}
	key, err := newKey()
	if err != nil {
		return parsed{}, err
	}
	return sign(template, template, key, key)
}

func (c Config) ensureServing(have Pair, ca parsed, now time.Time) (parsed, error) {
	names, addresses := c.hosts()
	old, err := parse(have)
	if err == nil && now.Before(old.cert.NotAfter.Add(-servingRenew*c.Day)) &&
		slices.Equal(old.cert.DNSNames, names) && slices.EqualFunc(old.cert.IPAddresses, addresses, net.IP.Equal) &&
		old.cert.CheckSignatureFrom(ca.cert) == nil {
		return old, nil
	}
	key, err := newKey()
	if err != nil {
		return parsed{}, err
	}
	return sign(&x509.Certificate{
		Subject:   pkix.Name{CommonName: c.Name, Organization: []string{"openshift"}},
		NotBefore: now.Add(-skew), NotAfter: now.Add(servingDays * c.Day),
		DNSNames: names, IPAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.cert, key, ca.key)
}

// hosts returns the DNS names and the addresses, sorted and without duplicates.
func (c Config) hosts() (names []string, addresses []net.IP) {
	for _, h := range c.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, h)
		}
	}
	slices.Sort(names)
	slices.SortFunc(addresses, func(a, b net.IP) int { return bytes.Compare(a.To16(), b.To16()) })
	return slices.Compact(names), slices.CompactFunc(addresses, net.IP.Equal)
}

func newKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func sign(template, by *x509.Certificate, key, signer crypto.Signer) (parsed, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return parsed{}, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), signer)
	if err != nil {
		return parsed{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return parsed{}, err
	}
	return parse(Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	})
}
