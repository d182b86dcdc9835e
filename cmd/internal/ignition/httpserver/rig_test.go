package httpserver_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/httpserver"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

const config = `{"ignition":{"version":"3.2.0"}}`

// rig is a running endpoint.
type rig struct {
	t      testing.TB
	url    string
	addr   string
	ca     *testregistry.CA
	cert   string // its file, and the key's
	key    string
	store  *tokens.Store
	client *http.Client
	stop   func() error // ends it; the error of Start
	logs   *observer.ObservedLogs

	mu       sync.Mutex
	notified []string
	more     chan struct{}
}

func (r *rig) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notified = append(r.notified, what)
	close(r.more)
	r.more = make(chan struct{})
}

// wait waits until what was told n times.
func (r *rig) wait(what string, n int) {
	r.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		got, more := 0, r.more
		for _, w := range r.notified {
			if w == what {
				got++
			}
		}
		r.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-timeout:
			r.t.Fatalf("%q was told %d times; want %d", what, got, n)
		}
	}
}

func (r *rig) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.notified...)
}

// Get notes what the metric is told.
func (r *rig) Get(nodePool string) { r.note("get " + nodePool) }

func (r *rig) writeCert() {
	r.t.Helper()
	// An authority issues for the address like for any other name.
	cert, key, err := r.ca.ClientCertificate("127.0.0.1")
	if err != nil {
		r.t.Fatal(err)
	}
	for path, b := range map[string][]byte{r.cert: cert, r.key: key} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

func start(t testing.TB, change ...func(*httpserver.Config)) *rig {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	store, err := tokens.OpenStore(tokens.StoreConfig{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	dir := t.TempDir()
	r := &rig{
		t: t, ca: ca, store: store, logs: logs, more: make(chan struct{}),
		cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"),
		addr: l.Addr().String(), url: "https://" + l.Addr().String(),
	}
	r.writeCert()
	cfg := httpserver.Config{
		Listener: l, CertFile: r.cert, KeyFile: r.key, CertPoll: 10 * time.Millisecond,
		Payloads: store, Metrics: r, Log: zap.New(core),
		Hooks: httpserver.Hooks{
			Served:  func(_ context.Context, s httpserver.Secret) { r.note("served " + s.Name) },
			Reached: func(_ context.Context, s httpserver.Secret) error { r.note("reached " + s.Name); return nil },
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := httpserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: true}
	r.client = &http.Client{Transport: tr}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = r.stop()
	})
	return r
}

func (r *rig) set(body string, names ...string) {
	r.t.Helper()
	if err := r.store.Set(r.t.Context(), tokens.Payload{Secret: "token-np-1", NodePool: "clusters/np", Body: []byte(body)}, names...); err != nil {
		r.t.Fatal(err)
	}
}

func authorize(token string) string {
	return "Bearer " + base64.StdEncoding.EncodeToString([]byte(token))
}

func (r *rig) do(method, path, authorization string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.URL.Opaque = "//" + r.addr + path // as it is
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("NodePool", "clusters/other")
	req.Header.Set("TargetConfigVersionHash", "forged")
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

type lookup func(string) (tokens.Payload, bool)

func (l lookup) Lookup(token string) (tokens.Payload, bool) { return l(token) }
