package registry_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Plain HTTP and unverified certificates are for requests that say so, on
// loopback as anywhere.
func TestInsecure(t *testing.T) {
	password := provider.NewCredential("alice", secretPassword)
	for _, tt := range []struct {
		name     string
		cfg      testregistry.Config
		cert     testregistry.CertificateKind
		insecure bool
		ok       bool
		requests int
	}{
		{"http, secure", testregistry.Config{PlainHTTP: true}, 0, false, false, 0},
		{"http, insecure", testregistry.Config{PlainHTTP: true}, 0, true, true, 2},
		{"https expired, secure", testregistry.Config{}, testregistry.Expired, false, false, 0},
		{"https expired, insecure", testregistry.Config{}, testregistry.Expired, true, true, 2},
		{"http with basic", testregistry.Config{PlainHTTP: true, Auth: testregistry.Auth{Scheme: testregistry.Basic}}, 0, true, true, 3},
		{"https with basic", testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Basic}}, testregistry.UnknownAuthority, true, true, 2},
		{"http with bearer", testregistry.Config{PlainHTTP: true, Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}}, 0, true, true, 4},
		{"https with bearer", testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}}, testregistry.UnknownAuthority, true, true, 4},
		{"http realm of a secure registry", testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, PlainToken: true}}, 0, false, false, 1},
		{"http realm of an insecure one over https", testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, PlainToken: true}}, 0, true, false, 1},
		{"http storage of a secure registry", testregistry.Config{RedirectBlobs: true, PlainStorage: true}, 0, false, false, 2},
		{"http storage of an insecure one", testregistry.Config{RedirectBlobs: true, PlainStorage: true}, 0, true, true, 3},
		{"storage", testregistry.Config{RedirectBlobs: true}, 0, false, true, 3},
		{"storage with bearer", testregistry.Config{RedirectBlobs: true, Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, 0, false, true, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Auth.Users = []testregistry.User{alice}
			reg := start(t, tt.cfg)
			if tt.cert != testregistry.ValidCertificate {
				reg.Main().SetCertificate(tt.cert)
				reg.Token().SetCertificate(tt.cert)
			}
			req := request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))
			if tt.cfg.Auth.Scheme != testregistry.NoAuth {
				req = at(t, req.Image, password)
			}
			req.Insecure = tt.insecure
			p := open(t, reg)
			_, err := p.Lookup(t.Context(), req)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v", err)
			}
			if n := reg.Count(); n != tt.requests {
				t.Errorf("%d requests, want %d: %+v", n, tt.requests, reg.Requests())
			}
			if !tt.ok {
				for _, q := range reg.Requests() {
					if q.Endpoint == "token" && q.Authorized() {
						t.Error("credentials went to a realm they must not go to")
					}
				}
				return
			}
			// What was learnt saves the detours, and which scheme works is known.
			before := reg.Main().Stats().Connections
			if _, err := p.Lookup(t.Context(), req); err != nil {
				t.Error(err)
			}
			if n := reg.Main().Stats().Connections - before; n != 0 {
				t.Errorf("%d more connections", n)
			}
			// A secure request does not profit from what an insecure one did.
			if tt.insecure && (tt.cfg.PlainHTTP || tt.cert != 0) {
				req.Insecure = false
				reg.ResetLog()
				if _, err := p.Lookup(t.Context(), req); err == nil {
					t.Error("a secure request was answered")
				}
				if n := reg.Count(); n != 0 {
					t.Errorf("a secure request sent %d", n)
				}
			}
		})
	}
}

// Over plain HTTP, credentials are not sent before they are asked for.
func TestPlainBasicWaits(t *testing.T) {
	reg := start(t, testregistry.Config{PlainHTTP: true})
	req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", secretPassword))
	req.Insecure = true
	if _, err := open(t, reg).Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for _, q := range reg.Requests() {
		if q.Authorized() {
			t.Errorf("%s carried credentials unasked", q.Path)
		}
	}
}

// An insecure registry that stops being plain is found again.
func TestSchemeChanges(t *testing.T) {
	plain := true
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	img := small(t)
	a := start(t, testregistry.Config{CA: ca, PlainHTTP: true})
	b := start(t, testregistry.Config{CA: ca})
	a.Push(repo, "x", img)
	b.Push(repo, "x", img)
	p := open(t, a, func(c *registry.Config) {
		c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			to := b
			if plain {
				to = a
			}
			return (&net.Dialer{}).DialContext(ctx, network, to.Host())
		}
	})
	req := provider.Request{Image: mustParse(t, "registry.test:5000/"+repo+":x"), Insecure: true}
	for _, plain = range []bool{true, false, true} {
		var err error
		for range 2 { // the first may find out the hard way
			p.CloseIdleConnections()
			if _, err = p.Lookup(t.Context(), req); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("plain %v: %v", plain, err)
		}
	}
}

// Each registry is trusted by its own authority, and gets its own certificate.
func TestCertDirs(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	one := start(t, testregistry.Config{RequireClientCertificate: true})
	two := start(t, testregistry.Config{})
	three := start(t, testregistry.Config{})
	if err := one.WriteCertsDir(dirs[0]); err != nil {
		t.Fatal(err)
	}
	if err := two.WriteCertsDir(dirs[1]); err != nil {
		t.Fatal(err)
	}
	p := open(t, nil, func(c *registry.Config) { c.TLS = registry.CertDirs(dirs...) })
	for _, reg := range []*testregistry.Registry{one, two, three} {
		_, err := p.Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", small(t)))))
		if reg == three {
			wantError(t, err, provider.ClassTLS, "unknown authority")
		} else if err != nil {
			t.Error(err)
		}
	}
	for _, q := range one.Requests() {
		if q.ClientCertificate == "" {
			t.Error("no client certificate")
		}
	}

	read := registry.CertDirs(dirs...)
	for file, says := range map[string]string{"bad.crt": "bad.crt", "lone.key": "lone.cert", "lone.cert": "lone.cert"} {
		dir := filepath.Join(dirs[0], "bad.test:5000")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, file)
		if err := os.WriteFile(name, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read("bad.test:5000"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", file, err)
		}
		_, err := open(t, nil, func(c *registry.Config) { c.TLS = read }).Lookup(t.Context(), request(mustParse(t, "bad.test:5000/a/b:c")))
		wantError(t, err, provider.ClassTLS, says)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	// Beside an authority that is trusted, what is none is left out and named.
	good := filepath.Join(dirs[1], two.Host())
	if err := os.WriteFile(filepath.Join(good, "a.crt"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere/z.crt", filepath.Join(good, "z.crt")); err != nil {
		t.Fatal(err)
	}
	got, err := read(two.Host())
	if err != nil || got.RootCAs == nil || !strings.Contains(got.Unread, "a.crt: no certificate in PEM in it") || !strings.Contains(got.Unread, "z.crt: no such file") {
		t.Errorf("%v; unread %q", err, got.Unread)
	}
	p = open(t, nil, func(c *registry.Config) { c.TLS = read })
	if _, err := p.Lookup(t.Context(), request(two.ByDigest(repo, small(t).Digest))); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "..", "../etc", "a/b"} {
		if _, err := read(name); err == nil {
			t.Errorf("%q is read", name)
		}
	}
	if got, err := read("other.test"); err != nil || got.RootCAs != nil || got.Certificates != nil {
		t.Errorf("other.test: %v %v", got, err)
	}
}

// SkipVerify is for certificates alone: it never allows plain HTTP.
func TestSkipVerify(t *testing.T) {
	skip := func(c *registry.Config) {
		c.TLS = func(string) (registry.TLS, error) { return registry.TLS{SkipVerify: true}, nil }
	}
	reg := start(t, testregistry.Config{})
	if _, err := open(t, nil, skip).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))); err != nil {
		t.Error(err)
	}
	plain := start(t, testregistry.Config{PlainHTTP: true})
	_, err := open(t, nil, skip).Lookup(t.Context(), request(plain.ByDigest(repo, plain.Push(repo, "", small(t)))))
	wantError(t, err, provider.ClassTLS, "plain HTTP")
}

// docker.io is registry-1.docker.io, for connections alone.
func TestDockerHub(t *testing.T) {
	reg := start(t, testregistry.Config{
		Names: []string{"registry-1.docker.io"},
		Auth:  testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{alice}},
	})
	reg.Push("library/release", "latest", small(t))
	var asked []string
	p := open(t, reg, func(c *registry.Config) {
		c.TLS = func(name string) (registry.TLS, error) {
			asked = append(asked, name)
			return registry.TLS{}, nil
		}
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "registry-1.docker.io:443" {
				t.Errorf("dialled %s", addr)
			}
			return (&net.Dialer{}).DialContext(ctx, network, reg.Host())
		}
	})
	req := at(t, mustParse(t, "release"), provider.NewCredential("alice", secretPassword))
	r, err := p.Lookup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.PulledFrom().String(); got != "docker.io/library/release:latest" {
		t.Errorf("pulled from %s", got)
	}
	if len(asked) != 1 || asked[0] != "docker.io" {
		t.Errorf("asked about %v", asked)
	}
}

func TestIPv6(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{Host: "::1"})
	if err != nil {
		t.Skipf("no IPv6 on the loopback interface: %v", err)
	}
	t.Cleanup(reg.Close)
	if _, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))); err != nil {
		t.Error(err)
	}
}

// A proxy is used, and its password stays out of errors.
func TestProxy(t *testing.T) {
	reg := start(t, testregistry.Config{})
	req := request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))
	tunnels := make(chan string, 4)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnels <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	p := open(t, reg, func(c *registry.Config) {
		c.Proxy = func(*http.Request) (*url.URL, error) {
			return url.Parse(strings.Replace(proxy.URL, "http://", "http://user:"+secretRegistry+"@", 1))
		}
	})
	_, err := p.Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnreachable, "the proxy "+strings.TrimPrefix(proxy.URL, "http://")+" refuses the connection: 403 Forbidden")
	if strings.Contains(err.Error(), secretRegistry) {
		t.Errorf("the proxy's password is in %v", err)
	}
	if got := <-tunnels; !strings.HasPrefix(got, "CONNECT "+reg.Host()+" Basic ") {
		t.Errorf("the proxy got %q", got)
	}
	address := "http://user:" + secretRegistry + "@%zz"
	bad := open(t, reg, func(c *registry.Config) {
		c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(address) }
	})
	_, err = bad.Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnreachable, "proxy")
	if strings.Contains(err.Error(), secretRegistry) {
		t.Errorf("the proxy's password is in %v", err)
	}
}
