package testregistry

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Kind is what a request asks for.
type Kind string

const (
	Ping     Kind = "ping"     // /v2/
	Manifest Kind = "manifest" // by tag or digest
	Blob     Kind = "blob"     // of a repository
	Tags     Kind = "tags"     // the list of them
	Token    Kind = "token"
	Storage  Kind = "storage" // a redirected blob
	Other    Kind = "other"
)

// Request is a request that arrived.
type Request struct {
	Endpoint string // "registry", "token" or "storage"
	Kind     Kind
	Method   string // "GET", "HEAD", "POST"
	// Repository and Reference (a tag or a digest) are those of the path, "" where
	// it has none.
	Repository, Reference string
	Path                  string // without the query
	EscapedPath           string // as it was sent
	Query                 url.Values
	Form                  url.Values // of a POST
	Host                  string     // that the client named
	Proto                 string     // "HTTP/2.0"
	Header                http.Header
	Conn                  int64  // the connection's number, unique in the registry
	ClientCertificate     string // its common name, "" without one

	// What became of it. Status is 0 until an answer is written, and stays 0 if
	// none was.
	Status int
	Bytes  int64  // of the body that were written
	Fault  string // the name of the action that was applied, "" for none
	Done   bool
}

// Authorized reports whether the request carried an Authorization header.
func (q Request) Authorized() bool { return q.Header.Get("Authorization") != "" }

// Match chooses requests. Every field that is set must fit; the zero Match
// chooses all.
type Match struct {
	// What a [Request] must have; "" is anything.
	Endpoint              string // "registry", "token" or "storage"
	Kind                  Kind
	Method                string
	Repository, Reference string
	// If, if not nil, must report true. It is called with nothing locked.
	If func(Request) bool
}

func (m Match) fits(q Request) bool {
	for _, f := range [...][2]string{
		{m.Endpoint, q.Endpoint}, {string(m.Kind), string(q.Kind)}, {m.Method, q.Method},
		{m.Repository, q.Repository}, {m.Reference, q.Reference},
	} {
		if f[0] != "" && f[0] != f[1] {
			return false
		}
	}
	return m.If == nil || m.If(q)
}

// requestLog keeps requests in the order they arrived.
type requestLog struct {
	mu      sync.Mutex
	entries []*logEntry
	arrived chan struct{} // closed and replaced when one arrives
}

// logEntry is a Request that is being answered. Its fields change under the
// log's lock only.
type logEntry struct{ Request }

func (l *requestLog) begin(q Request) *logEntry {
	e := &logEntry{q}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	if l.arrived != nil {
		close(l.arrived)
		l.arrived = nil
	}
	return e
}

func (l *requestLog) update(e *logEntry, change func(*Request)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&e.Request)
}

func (l *requestLog) snapshot() ([]Request, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrived == nil {
		l.arrived = make(chan struct{})
	}
	out := make([]Request, len(l.entries))
	for i, e := range l.entries {
		out[i] = e.Request
	}
	return out, l.arrived
}

// Requests returns the requests that any of ms chooses, or all of them without ms,
// in the order they arrived. Those still being answered are among them.
func (r *Registry) Requests(ms ...Match) []Request {
	all, _ := r.log.snapshot()
	return choose(all, ms)
}

func choose(all []Request, ms []Match) []Request {
	if len(ms) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(q Request) bool {
		return !slices.ContainsFunc(ms, func(m Match) bool { return m.fits(q) })
	})
}

// Count returns how many requests any of ms chooses, or how many there were.
func (r *Registry) Count(ms ...Match) int { return len(r.Requests(ms...)) }

// Bytes returns how many bytes of bodies were written in answer to the requests that
// any of ms chooses, or to all.
func (r *Registry) Bytes(ms ...Match) int64 {
	var n int64
	for _, q := range r.Requests(ms...) {
		n += q.Bytes
	}
	return n
}

// ResetLog forgets the requests there were.
func (r *Registry) ResetLog() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.entries = nil
}

// Wait waits until at least n requests that m chooses have arrived.
func (r *Registry) Wait(ctx context.Context, n int, m Match) error {
	for {
		all, more := r.log.snapshot()
		if len(choose(all, []Match{m})) >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.closed:
			return errClosed
		}
	}
}

// parsePath finds out what a path of the distribution API asks for.
func parsePath(path string) (kind Kind, repo, reference string) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	switch {
	case path == "/v2" || ok && rest == "":
		return Ping, "", ""
	case path == "/token":
		return Token, "", ""
	case !ok:
		return Other, "", ""
	}
	for _, k := range []struct {
		kind Kind
		part string
	}{{Manifest, "/manifests/"}, {Blob, "/blobs/"}, {Tags, "/tags/"}} {
		if i := strings.LastIndex(rest, k.part); i > 0 {
			return k.kind, rest[:i], rest[i+len(k.part):]
		}
	}
	return Other, "", ""
}
