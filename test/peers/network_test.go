package peers

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// network is all registries of a world on one loopback socket: they are told apart by the
// host that a request names. Nodes' code reaches it through a proxy, ours by dialling.
type network struct {
	proxy *url.URL
	addr  string

	mu       sync.Mutex
	content  map[string]served
	down     map[string]bool
	requests []string
}

// served is a manifest or a blob, or the status in place of it.
type served struct {
	mediaType string
	body      []byte
	status    int // 0 is 200
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{}
	registries := httptest.NewUnstartedServer(n)
	registries.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	registries.Config.ErrorLog = log.New(io.Discard, "", 0)
	registries.StartTLS()
	t.Cleanup(registries.Close)
	n.addr = registries.Listener.Addr().String()
	proxy := httptest.NewServer(http.HandlerFunc(n.tunnel))
	t.Cleanup(proxy.Close)
	var err error
	if n.proxy, err = url.Parse(proxy.URL); err != nil {
		t.Fatal(err)
	}
	return n
}

// serve replaces what the registries have, and which hosts are away.
func (n *network) serve(content map[string]served, down map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.content, n.down, n.requests = content, down, nil
}

// asked returns the repositories that were asked for a manifest since the last call, in
// order.
func (n *network) asked(reference string) (out []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.requests {
		if repo, ok := strings.CutSuffix(line, " "+reference); ok {
			out = append(out, repo)
		}
	}
	n.requests = nil
	return out
}

// dial connects to the registries, whatever the address.
func (n *network) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, n.addr)
}

// tunnel serves as the proxy. It has no registry that speaks plain HTTP.
func (n *network) tunnel(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	to, err := n.dial(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, read, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	if _, err := io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(to, read) // the end of a connection has no consequence
		to.Close()
	})
	_, _ = io.Copy(from, to)
	from.Close()
	wg.Wait()
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	down := n.down[r.Host]
	n.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if !ok || path == "" {
		return
	}
	key := ""
	for _, kind := range []string{"/manifests/", "/blobs/"} {
		if repo, reference, ok := strings.Cut(path, kind); ok {
			key = r.Host + "/" + repo + " " + reference
		}
	}
	n.mu.Lock()
	s, ok := n.content[key]
	if strings.Contains(path, "/manifests/") {
		repo, reference, _ := strings.Cut(key, " ")
		n.requests = append(n.requests, repo+" "+reference)
	}
	n.mu.Unlock()
	switch {
	case !ok:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
	case s.status != 0:
		w.WriteHeader(s.status)
	default:
		w.Header().Set("Content-Type", s.mediaType)
		_, _ = w.Write(s.body)
	}
}
