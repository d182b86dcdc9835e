package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pullsecret"
	"github.com/mirrorchain/mirrorchain/provider"
)

// hints are what to do about failed attempts, once per registry and cause.
func (a *app) hints(ref refArg, attempts []provider.Attempt, found pullsecret.Found) []string {
	var hints []string
	add := func(h string) {
		if h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for _, at := range attempts {
		host := at.Ref.Registry()
		switch provider.ClassOf(at.Err) {
		case provider.ClassUnauthorized:
			add(hintAuth(at.Ref.Name(), found))
		case provider.ClassTLS:
			dirs, _ := a.certDirs()
			where := "none of the usual certs.d directories exists"
			if len(dirs) > 0 {
				where = "looked in " + strings.Join(dirs, ", ")
			}
			add(fmt.Sprintf("to trust the CA of %s put it into DIR/%s/ca.crt and give --cert-dir DIR (%s), or name it in SSL_CERT_FILE; to do without, --insecure-registry %s", host, host, where, host))
		case provider.ClassUnreachable:
			if p := a.proxy(); p != "" {
				add(fmt.Sprintf("%s is set; NO_PROXY must name registries that are reached directly", p))
			}
			add(fmt.Sprintf("is %s the right name, and reachable from here?", host))
		case provider.ClassTimeout:
			add(fmt.Sprintf("%s is too slow; --timeout limits the whole command, now %s", host, a.opts.timeout))
		case provider.ClassThrottled, provider.ClassServer:
			add(fmt.Sprintf("%s has trouble of its own; try again later", host))
		case provider.ClassDigest:
			add(fmt.Sprintf("%s serves other content than the digest promises: do not use it before it has been mirrored again", host))
		case provider.ClassForbidden:
			add(hintForbidden(ref.Text))
		}
	}
	return hints
}

func hintForbidden(ref string) string {
	return fmt.Sprintf("policy blocks an endpoint; 'mirrorchain explain' with the same flags says by which entry: mirrorchain explain %s", ref)
}

// hintAuth says which entry was refused, or where none was found.
func hintAuth(name string, found pullsecret.Found) string {
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
func sayUse(u pullsecret.Use) string {
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
