package testregistry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Registry is a running registry.
type Registry struct {
	cfg    Config
	ca     *CA
	store  *store
	auth   authority
	log    requestLog
	faults faults

	main, token, storage *Endpoint // token and storage are nil where not configured

	dead    []io.Closer
	latency atomic.Int64
	conns   atomic.Int64  // the last connection's number
	closed  chan struct{} // closed by Close
	work    tracker
	once    sync.Once
}

// Start starts a registry. Close it.
func Start(cfg Config) (*Registry, error) {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	r := &Registry{cfg: cfg, ca: cfg.CA, store: newStore(), closed: make(chan struct{})}
	r.latency.Store(int64(cfg.Latency))
	if r.ca == nil {
		ca, err := NewCA()
		if err != nil {
			return nil, err
		}
		r.ca = ca
	}
	var err error
	if r.main, err = r.listen("registry", cfg.PlainHTTP, r.serveRegistry); err != nil {
		return nil, err
	}
	r.token = r.main
	if cfg.Auth.TokenElsewhere {
		if r.token, err = r.listen("token", cfg.PlainHTTP || cfg.Auth.PlainToken, r.serveToken); err != nil {
			r.Close()
			return nil, err
		}
	}
	if cfg.RedirectBlobs {
		if r.storage, err = r.listen("storage", cfg.PlainHTTP || cfg.PlainStorage, r.serveStorage); err != nil {
			r.Close()
			return nil, err
		}
	}
	if r.dead, err = deadAddresses(cfg.DeadAddresses, r.main.port); err != nil {
		r.Close()
		return nil, err
	}
	r.SetAuth(cfg.Auth)
	return r, nil
}

// Close stops the registry, lets hanging answers go and waits for them. It may
// be called more than once.
func (r *Registry) Close() {
	r.once.Do(func() {
		close(r.closed)
		for _, e := range r.endpoints() {
			e.close()
		}
		for _, d := range r.dead {
			_ = d.Close()
		}
		r.work.close()
	})
}

func (r *Registry) endpoints() []*Endpoint {
	es := []*Endpoint{r.main}
	if r.token != nil && r.token != r.main {
		es = append(es, r.token)
	}
	if r.storage != nil {
		es = append(es, r.storage)
	}
	return es
}

// Host returns "host:port" as it stands in references.
func (r *Registry) Host() string { return r.main.Addr() }

// URL returns "https://host:port" or "http://host:port".
func (r *Registry) URL() string { return r.main.URL() }

// CA returns what issued the registry's certificates.
func (r *Registry) CA() *CA { return r.ca }

// Main returns the registry's own listener.
func (r *Registry) Main() *Endpoint { return r.main }

// Token returns the listener that serves tokens: Main, unless they are elsewhere.
func (r *Registry) Token() *Endpoint { return r.token }

// Storage returns the listener that serves redirected blobs, nil without
// [Config.RedirectBlobs].
func (r *Registry) Storage() *Endpoint { return r.storage }

// ByTag returns the reference of a tag here.
func (r *Registry) ByTag(repository, tag string) imageref.Ref {
	return imageref.MustParse(r.Host() + "/" + repository + ":" + tag)
}

// ByDigest returns the reference of a digest here.
func (r *Registry) ByDigest(repository, digest string) imageref.Ref {
	return imageref.MustParse(r.Host() + "/" + repository + "@" + digest)
}

// Down closes the registry's listener and its connections: new ones are refused.
// See [Endpoint.Down].
func (r *Registry) Down() { r.main.Down() }

// Up undoes Down and Mute.
func (r *Registry) Up() error { return r.main.Up() }

// Mute closes all connections and accepts new ones without ever answering, not
// even a TLS handshake. See [Endpoint.Mute].
func (r *Registry) Mute() error { return r.main.Mute() }

// SetLatency changes what is added before every answer.
func (r *Registry) SetLatency(d time.Duration) { r.latency.Store(int64(d)) }

// WriteCertsDir writes dir/HOST:PORT/ca.crt, and client.cert and client.key if
// client certificates are required: a containers certs.d directory.
func (r *Registry) WriteCertsDir(dir string) error {
	d := filepath.Join(dir, r.Host())
	if err := os.MkdirAll(d, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{"ca.crt": r.ca.PEM()}
	if r.cfg.RequireClientCertificate {
		cert, key, err := r.ca.ClientCertificate("client")
		if err != nil {
			return err
		}
		files["client.cert"], files["client.key"] = cert, key
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(d, name), content, 0o600); err != nil {
			return fmt.Errorf("writing the certificates of %s: %w", r.Host(), err)
		}
	}
	return nil
}

var errClosed = errors.New("the registry is closed")

// tracker counts answers under way.
type tracker struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func (t *tracker) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Add(1)
	return true
}

func (t *tracker) end() { t.wg.Done() }

func (t *tracker) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}

// serve makes a handler of a function that works out the answer.
func (r *Registry) serve(e *Endpoint, answer func(*http.Request, Request) answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.work.begin() {
			panic(http.ErrAbortHandler)
		}
		defer r.work.end()
		x := newExchange(r, e, w, req)
		defer x.done()
		if r.faults.hold(x) != nil {
			panic(http.ErrAbortHandler)
		}
		x.answer = answer(req, x.entry.Request)
		if x.wait(time.Duration(r.latency.Load())) != nil {
			panic(http.ErrAbortHandler)
		}
		r.faults.apply(x)
		x.write()
	})
}
