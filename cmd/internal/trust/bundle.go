package trust

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Bundle is the content of a CA bundle.
type Bundle struct {
	// Certificates are the authorities to trust, in the order of the file.
	Certificates []*x509.Certificate
	// Skipped are the blocks that are not trusted.
	Skipped []Skipped
}

// Skipped is a block of a CA bundle that is not trusted.
type Skipped struct {
	Block   int    // its number in the file, from 1
	Subject string // of the certificate; "" where it cannot be read
	Reason  string
}

// String returns the number, the subject and the reason.
func (s Skipped) String() string {
	if s.Subject == "" {
		return fmt.Sprintf("block %d: %s", s.Block, s.Reason)
	}
	return fmt.Sprintf("block %d (%s): %s", s.Block, s.Subject, s.Reason)
}

// maxNamed bounds how many skipped blocks a warning names.
const maxNamed = 20

// Warning names the blocks that were skipped. It returns "" if there are none.
func (b Bundle) Warning() string {
	if len(b.Skipped) == 0 {
		return ""
	}
	named := make([]string, 0, maxNamed+1)
	for i, s := range b.Skipped {
		if i == maxNamed {
			named = append(named, fmt.Sprintf("and %d more", len(b.Skipped)-i))
			break
		}
		named = append(named, s.String())
	}
	return "not trusted: " + strings.Join(named, "; ")
}

// AddTo adds the certificates to pool.
func (b Bundle) AddTo(pool *x509.CertPool) {
	for _, c := range b.Certificates {
		pool.AddCert(c)
	}
}

// Beside returns t with the certificates trusted beside its roots. Where it has no roots
// those of base are taken, nil is the system's, and every registry has the result.
func (b Bundle) Beside(t registry.TLS, base *x509.CertPool) (registry.TLS, error) {
	pool := t.RootCAs
	if pool == nil {
		t.Shared, pool = true, base
	}
	if pool == nil {
		var err error
		if pool, err = x509.SystemCertPool(); err != nil {
			return registry.TLS{}, fmt.Errorf("the system's authorities: %w", err)
		}
	}
	t.RootCAs = pool.Clone()
	b.AddTo(t.RootCAs)
	return t, nil
}

// PEM returns the certificates in PEM, each once.
func (b Bundle) PEM() []byte {
	var text []byte
	done := map[string]bool{}
	for _, c := range b.Certificates {
		if !done[string(c.Raw)] {
			done[string(c.Raw)] = true
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	return text
}

// ParseBundle reads a CA bundle block by block. It takes what p11-kit takes, which
// prepares the trust of a node (p11-kit, trust/parser.c and common/pem.c): a block may
// begin and end anywhere in a line, and text between blocks is ignored. It also takes
// "X509 CERTIFICATE", an older name that OpenSSL knows (PEM_STRING_X509_OLD). A block
// that cannot be trusted is skipped and named; the others count.
//
// A bundle with text and without any certificate to trust is an error. An empty one is
// none: it has no certificates.
func ParseBundle(data []byte) (Bundle, error) {
	var b Bundle
	number := 0
	for rest := data; ; {
		block, after, ok := nextBlock(rest)
		if !ok {
			break
		}
		rest = after
		number++
		cert, err := block.certificate()
		if err != nil {
			b.Skipped = append(b.Skipped, Skipped{Block: number, Subject: subject(block.der), Reason: err.Error()})
			continue
		}
		b.Certificates = append(b.Certificates, cert)
	}
	if len(b.Certificates) > 0 || len(bytes.TrimSpace(data)) == 0 {
		return b, nil
	}
	if number == 0 {
		return b, errors.New("it holds no certificate; want PEM")
	}
	return b, errors.New("it holds no certificate that can be used; " + b.Warning())
}

// block is one PEM block.
type block struct {
	kind string
	der  []byte
	err  error // the block cannot be read
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemDash  = "-----"
)

// nextBlock finds the first block in data and returns what follows it.
func nextBlock(data []byte) (b block, rest []byte, ok bool) {
	for {
		_, after, found := bytes.Cut(data, []byte(pemBegin))
		if !found {
			return block{}, nil, false
		}
		kind, body, found := bytes.Cut(after, []byte(pemDash))
		if !found {
			return block{}, nil, false
		}
		if bytes.ContainsAny(kind, "\r\n") { // text that merely looks like the start of one
			data = after
			continue
		}
		b.kind = string(kind)
		// Only as far as the next beginning, so that the whole is read once.
		next := bytes.Index(body, []byte(pemBegin))
		if next < 0 {
			next = len(body)
		}
		end := bytes.Index(body[:next], []byte(pemEnd))
		if end < 0 {
			b.err = errors.New("it has no end")
			return b, body[next:], true
		}
		// The dashes of the end may be those of the next beginning.
		rest = body[end+len(pemEnd):]
		if !bytes.HasPrefix(rest, append(kind[:len(kind):len(kind)], pemDash...)) {
			b.err = fmt.Errorf("it begins as %s and ends as another type", b.kind)
			return b, rest, true
		}
		b.der, b.err = decodeBody(body[:end])
		return b, rest, true
	}
}

// blankLine ends headers.
var blankLine = regexp.MustCompile(`\n[ \t\r]*\n`)

// decodeBody decodes base64 with any white space in it, after headers (RFC 1421) if
// there are some.
func decodeBody(body []byte) ([]byte, error) {
	der, err := decodeBase64(body)
	if err == nil {
		return der, nil
	}
	if at := blankLine.FindIndex(body); at != nil {
		if der, err := decodeBase64(body[at[1]:]); err == nil && len(der) > 0 {
			return der, nil
		}
	}
	return nil, errors.New("it is not base64")
}

func decodeBase64(text []byte) ([]byte, error) {
	compact := bytes.Map(func(r rune) rune {
		if r < unicode.MaxASCII && unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	der := make([]byte, base64.StdEncoding.DecodedLen(len(compact)))
	n, err := base64.StdEncoding.Decode(der, compact)
	return der[:n], err
}

// certificate returns the certificate of a block that is to be trusted for TLS servers.
func (b block) certificate() (*x509.Certificate, error) {
	if b.err != nil {
		return nil, b.err
	}
	switch b.kind {
	case "CERTIFICATE", "X509 CERTIFICATE":
		return x509.ParseCertificate(b.der)
	case "TRUSTED CERTIFICATE":
		var first asn1.RawValue
		aux, err := asn1.Unmarshal(b.der, &first)
		if err != nil {
			return nil, fmt.Errorf("it is not DER: %w", err)
		}
		if err := trustedForServers(aux); err != nil {
			return nil, err
		}
		return x509.ParseCertificate(first.FullBytes)
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("it is a %s; remove it, whoever reads the bundle can read it", b.kind)
	}
	return nil, fmt.Errorf("it is a %q and not a certificate", b.kind)
}

// Purposes of a certificate (RFC 5280, 4.2.1.12).
var (
	anyPurpose    = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	serverPurpose = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
)

// trustedForServers reads what OpenSSL adds to a certificate in a "TRUSTED CERTIFICATE"
// (X509_CERT_AUX): the purposes that it is trusted for, and those that it is not trusted
// for. Where nothing is added it is trusted for anything. Where no purpose is left it is
// trusted for nothing, as p11-kit has it.
func trustedForServers(aux []byte) error {
	if len(aux) == 0 {
		return nil
	}
	var settings struct {
		Trust  []asn1.ObjectIdentifier `asn1:"optional"`
		Reject []asn1.ObjectIdentifier `asn1:"optional,tag:0"`
	}
	if _, err := asn1.Unmarshal(aux, &settings); err != nil {
		return fmt.Errorf("its trust settings cannot be read: %w", err)
	}
	forServers := func(purpose asn1.ObjectIdentifier) bool {
		return purpose.Equal(anyPurpose) || purpose.Equal(serverPurpose)
	}
	if slices.ContainsFunc(settings.Reject, forServers) || !slices.ContainsFunc(settings.Trust, forServers) {
		return errors.New("it is not trusted for TLS servers")
	}
	return nil
}

// subject reads the subject of a certificate, also of one that Go refuses. It returns ""
// where there is none to read.
func subject(der []byte) string {
	var cert struct {
		TBS struct {
			Version                           int `asn1:"optional,explicit,default:0,tag:0"`
			Serial, Algorithm, Issuer, Period asn1.RawValue
			Subject                           asn1.RawValue
		}
	}
	var names pkix.RDNSequence
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return ""
	}
	if _, err := asn1.Unmarshal(cert.TBS.Subject.FullBytes, &names); err != nil {
		return ""
	}
	return names.String()
}
