package policy

import (
	"net/url"
	"path"
	"strings"
)

// Forbids reports whether policy keeps a request from going to an address that a
// server names, be it a redirect's or a token realm's, and by which scope. A
// [Request] that goes to a permitted candidate must not be led from there to an
// endpoint that [Rules.Candidates] would leave out.
//
// An address below /v2/ is judged by the repository in it, as a candidate is. Any
// other, and one that can be read in two ways, is forbidden where the host is
// blocked, or any part of it: nothing says which part would answer. Except that
// from is the host, if any, that the request is permitted to ask already: of that
// one only repositories are forbidden, or a registry with one blocked repository
// could not issue tokens for the others.
//
// Hosts are compared without regard to case, to a final dot, and to whether a
// port 80 or 443 is written.
func (r *Rules) Forbids(to *url.URL, from string) (by Scope, forbidden bool) {
	r = r.orNone()
	if len(r.within) == 0 {
		return Scope{}, false
	}
	host := hostOf(to.Host)
	if len(host) > maxSource {
		return Scope{}, false // no registry; nothing covers it
	}
	clean := path.Clean("/" + to.Path)
	named := false
	if rest, ok := strings.CutPrefix(clean, "/v2/"); ok {
		name := ""
		for _, kind := range []string{"/manifests/", "/blobs/"} {
			if i := strings.LastIndex(rest, kind); i > 0 {
				name, named = rest[:i], clean == to.Path
			}
		}
		if name != "" {
			if by, forbidden = r.forbids(host, "/"+name); forbidden {
				return by, true
			}
		}
	}
	if named || host == hostOf(from) {
		return Scope{}, false
	}
	if by, forbidden = r.forbids(host, ""); forbidden {
		return by, true
	}
	by, forbidden = r.within[host]
	return by, forbidden
}

// forbids looks host and rest, "" or a path, up as nodes do.
func (r *Rules) forbids(host, rest string) (Scope, bool) {
	for i, h := range aliases(host) {
		name := h + rest
		for len(name) > maxSource-1 { // what is longer covers nothing
			end := strings.LastIndexByte(name, '/')
			if end < len(h) {
				return Scope{}, false
			}
			name = name[:end]
		}
		c := r.index.nth(name, len(h), 0)
		// Without the port it has been looked up before.
		if c != nil && c.blocked && (i == 0 || strings.HasPrefix(c.prefix, h)) {
			return c.blockedBy, true
		}
	}
	return Scope{}, false
}

// hostOf is how hosts are compared.
func hostOf(host string) string {
	host = strings.ToLower(host)
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i:]
	}
	name = strings.TrimSuffix(name, ".")
	switch port {
	case ":", ":80", ":443":
		port = ""
	}
	if name == "registry-1.docker.io" || name == "index.docker.io" {
		name = "docker.io" // the same registry
	}
	return name + port
}

// aliases are the names that scopes may have for what hostOf makes host.
func aliases(host string) []string {
	all := []string{host}
	if strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
		all = append(all, host+":443", host+":80")
	}
	if host == "docker.io" {
		all = append(all, "registry-1.docker.io", "index.docker.io")
	}
	return all
}

// blockedWithin are the hosts of which anything is blocked, each with the first
// scope that does it.
func blockedWithin(entries []*entry) map[string]Scope {
	var m map[string]Scope
	for _, e := range entries {
		if !e.blocked {
			continue
		}
		if m == nil {
			m = make(map[string]Scope)
		}
		host, _, _ := strings.Cut(e.prefix, "/")
		host = hostOf(host)
		if _, ok := m[host]; !ok {
			m[host] = e.blockedBy
		}
	}
	return m
}
