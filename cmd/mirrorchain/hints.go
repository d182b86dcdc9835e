package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
)

// hints are what to do about failed attempts, once per registry and cause.
func (a *app) hints(ref refArg, attempts []provider.Attempt, p *policies, res policy.Resolution, found authfile.Found) []string {
	var hints []string
	add := func(h string) {
		if h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	add(p.hintTag(res))
	for _, at := range attempts {
		host := at.Ref.Registry()
		switch provider.ClassOf(at.Err) {
		case provider.ClassUnauthorized:
			add(hintAuth(at.Ref.Name(), found))
		case provider.ClassTLS:
			add(a.hintTLS(host, at.Err))
		case provider.ClassUnreachable:
			if p := a.proxy(); p != "" {
				add(fmt.Sprintf("%s is set; NO_PROXY must name registries that are reached directly", p))
			}
			add(fmt.Sprintf("is %s the right name, and reachable from here?", host))
		case provider.ClassTimeout:
			add(fmt.Sprintf("%s is too slow; --timeout limits the whole command, now %s", host, a.opts.timeout))
		case provider.ClassThrottled, provider.ClassServer:
			when := "later"
			if e, ok := errors.AsType[*provider.Error](at.Err); ok && e.RetryAfter > 0 {
				when = "in " + e.RetryAfter.String() + ", as it asks"
			}
			add(fmt.Sprintf("%s has trouble of its own; try again %s", host, when))
		case provider.ClassDigest:
			add(fmt.Sprintf("%s serves other content than the digest promises: do not use it before it has been mirrored again", host))
		}
	}
	return append(hints, a.hintsForbidden(ref.Text, res)...)
}

// hintsForbidden say what policy took away, and how to see why.
func (a *app) hintsForbidden(ref string, res policy.Resolution) []string {
	if len(res.Refused) == 0 {
		return nil
	}
	what := "policy blocks every endpoint"
	if len(res.Candidates) > 0 {
		var blocked []string
		for _, r := range res.Refused {
			blocked = append(blocked, r.Ref.Name()+" by "+sayScope(r))
		}
		what = fmt.Sprintf("policy blocks %s, which was not asked", strings.Join(blocked, ", "))
	}
	return []string{what + "; to see why: " + a.commandLine("explain", ref)}
}

// hintTag is what keeps the mirrors for digests from serving a tag, the most common
// mistake in a disconnected site.
func (p *policies) hintTag(res policy.Resolution) string {
	if res.Normalized.Digest() != "" {
		return ""
	}
	switch n := len(p.skipped(res, false)); n {
	case 0:
		return ""
	case 1:
		return "1 mirror serves digests only and was skipped for this tag; " + mendTag
	default:
		return fmt.Sprintf("%d mirrors serve digests only and were skipped for this tag; %s", n, mendTag)
	}
}

const mendTag = "name the release by digest, state an ImageTagMirrorSet, or give --tags-follow-digest-rules"

// hintTLS says what to do about a TLS failure, by what is wrong.
func (a *app) hintTLS(host string, err error) string {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		if _, other, ok := strings.Cut(e.Op, "redirected to "); ok {
			host = other // it is not the registry's certificate
		}
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Sprintf("renew the certificate of %s, or check this machine's clock", host)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate of %s is for other names: name the registry by one of them, or have a certificate made for this one", host)
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "plain HTTP"):
		return fmt.Sprintf("%s speaks plain HTTP, which nobody can verify; to allow it, --insecure-registry %s", host, host)
	case strings.Contains(text, "client certificate"):
		return fmt.Sprintf("put the client certificate for %s and its key into DIR/%s/client.cert and client.key, and give --cert-dir DIR", host, host)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		return ""
	}
	dirs, _ := a.certDirs()
	where := "none of the usual certs.d directories exists"
	if len(dirs) > 0 {
		where = "looked in " + strings.Join(dirs, ", ")
	}
	return fmt.Sprintf("to trust the CA of %s put it into DIR/%s/ca.crt and give --cert-dir DIR (%s), or name it in SSL_CERT_FILE; to do without, --insecure-registry %s", host, host, where, host)
}

// hintAuth says which entry was refused, or where none was found.
func hintAuth(name string, found authfile.Found) string {
	for _, u := range found.Uses {
		if u.Ref.Name() != name {
			continue
		}
		if u.File != "" {
			return fmt.Sprintf("%s: %s", name, sayUse(u))
		}
		var looked []string
		for _, f := range found.Files {
			s := f.Path
			if !f.Exists {
				s += " (not there)"
			}
			looked = append(looked, s)
		}
		return fmt.Sprintf("%s: no credentials; looked in %s; name another file with --authfile", name, strings.Join(looked, ", "))
	}
	return ""
}

// sayUse is where credentials come from. It says nothing of what they are.
func sayUse(u authfile.Use) string {
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

// proxy is the name of the proxy variable that is set, "" for none.
func (a *app) proxy() string {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if a.sys.getenv(name) != "" {
			return name
		}
	}
	return ""
}
