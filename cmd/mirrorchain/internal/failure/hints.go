package failure

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
)

// Advice gives hints about what to do. Its fields are what a hint may name.
type Advice struct {
	// Timeout is --timeout. It is named where it ended an attempt, see [OutOfTime].
	Timeout time.Duration
	// CertDirs are the folders in which certificates were looked for.
	CertDirs []string
	// Proxy is the name of the proxy variable that is set, "" for none.
	Proxy string
	// ProxyUnread says that this variable holds no URL: it is not used then.
	ProxyUnread bool
	// Credentials say which entries were used.
	Credentials authfile.Found
	// Explain is the command line that shows why policy blocks an endpoint.
	Explain string
}

// Hints returns what to do about failed attempts, once per registry and cause, and
// about the endpoints that policy blocks.
func (a Advice) Hints(attempts []provider.Attempt, res policy.Resolution) []string {
	var hints []string
	add := func(h string) {
		if h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for _, at := range attempts {
		host := askedHost(at)
		switch provider.ClassOf(at.Err) {
		case provider.ClassUnauthorized:
			if store := redirectedTo(at.Err); store != "" {
				add(fmt.Sprintf("%s leads to %s, which refuses that address; credentials are not sent there, so its storage or its clock is the matter", at.Ref.Registry(), store))
			} else {
				add(a.auth(at.Ref.Name()))
			}
		case provider.ClassTLS:
			add(a.tls(host, at.Err))
		case provider.ClassUnreachable:
			switch {
			case a.ProxyUnread:
				add(fmt.Sprintf("%s is set and not used: it is no URL of a proxy", a.Proxy))
			case a.Proxy != "":
				add(fmt.Sprintf("%s is set; NO_PROXY must name registries that are reached directly", a.Proxy))
			}
			add(fmt.Sprintf("is %s the right name, and reachable from here?", host))
		case provider.ClassTimeout:
			if errors.Is(at.Err, errOutOfTime) {
				add(fmt.Sprintf("%s is too slow; --timeout limits the whole command, now %s", host, a.Timeout))
			} else {
				add(fmt.Sprintf("%s does not answer in time: it is overloaded, or a firewall drops what is sent to it; --endpoint-timeout gives it longer", host))
			}
		case provider.ClassThrottled, provider.ClassServer:
			when := "later"
			if e, ok := errors.AsType[*provider.Error](at.Err); ok && e.RetryAfter > 0 {
				when = "in " + e.RetryAfter.String() + ", as it asks"
			}
			add(fmt.Sprintf("%s cannot serve requests now; try again %s", host, when))
		case provider.ClassDigest:
			add(fmt.Sprintf("%s serves other content than the digest promises: do not use it before it has been mirrored again", host))
		}
	}
	add(a.Blocked(res))
	return hints
}

// Blocked says which endpoints policy blocks, and how to see why; "" for none.
func (a Advice) Blocked(res policy.Resolution) string {
	if len(res.Refused) == 0 {
		return ""
	}
	what := "policy blocks every endpoint"
	if len(res.Candidates) > 0 {
		var blocked []string
		for _, r := range res.Refused {
			blocked = append(blocked, r.Ref.Name()+" by "+Scope(r))
		}
		what = fmt.Sprintf("policy blocks %s, which was not asked", strings.Join(blocked, ", "))
	}
	return what + "; to see why: " + a.Explain
}

// tls says what to do about a TLS failure, by what is wrong.
func (a Advice) tls(host string, err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("renew the certificate of %s, or check this machine's clock", host)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate of %s is for other names: name the registry by one of them, or have a certificate made for this one", host)
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "redirect from https to plain HTTP"):
		return fmt.Sprintf("%s leads to plain HTTP, which nobody can verify; to allow it, --insecure-registry %s", host, host)
	case strings.Contains(text, "plain HTTP"):
		return fmt.Sprintf("%s speaks plain HTTP, which nobody can verify; to allow it, --insecure-registry %s", host, host)
	case strings.Contains(text, "client certificate"):
		return fmt.Sprintf("put the client certificate for %s and its key into DIR/%s/client.cert and client.key, and give --cert-dir DIR", host, host)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		return ""
	}
	where := "none of the usual certs.d directories exists"
	if len(a.CertDirs) > 0 {
		where = "looked in " + strings.Join(a.CertDirs, ", ")
	}
	return fmt.Sprintf("to trust the CA of %s put it into DIR/%s/ca.crt and give --cert-dir DIR (%s), or name it with --certificate-authority or in SSL_CERT_FILE; to do without, --insecure-registry %s", host, host, where, host)
}

// askedHost returns the host that failed: the registry, or the one that it led to.
func askedHost(at provider.Attempt) string {
	if e, ok := errors.AsType[*provider.Error](at.Err); ok && e.Elsewhere {
		for _, before := range []string{"redirected to ", "fetching a token from "} {
			if i := strings.LastIndex(e.Op, before); i >= 0 {
				return e.Op[i+len(before):]
			}
		}
	}
	return at.Ref.Registry()
}

// redirectedTo returns the host that failed after a redirect, "" if the registry did.
func redirectedTo(err error) string {
	if e, ok := errors.AsType[*provider.Error](err); ok && e.Elsewhere {
		if _, host, ok := strings.Cut(e.Op, "redirected to "); ok {
			return host
		}
	}
	return ""
}

// auth says which entry was refused, or where none was found.
func (a Advice) auth(name string) string {
	for _, u := range a.Credentials.Uses {
		if u.Ref.Name() != name {
			continue
		}
		if u.File != "" {
			return fmt.Sprintf("%s: %s", name, Use(u))
		}
		var looked []string
		for _, f := range a.Credentials.Files {
			s := f.Path
			if !f.Exists {
				s += " (does not exist)"
			}
			looked = append(looked, s)
		}
		return fmt.Sprintf("%s: no credentials; looked in %s; name another file with --authfile", name, strings.Join(looked, ", "))
	}
	return ""
}

// Use says where credentials come from. It says nothing of what they are.
func Use(u authfile.Use) string {
	switch {
	case u.File == "":
		return "no credentials, asking anonymously"
	case u.Failed:
		return fmt.Sprintf("asking anonymously, because the credential helper %s that %s names for %s failed", u.Helper, u.File, u.Entry)
	case u.Helper != "":
		return fmt.Sprintf("credentials for %s from the helper %s that %s names", u.Entry, u.Helper, u.File)
	}
	return fmt.Sprintf("credentials of entry %q in %s", u.Entry, u.File)
}
