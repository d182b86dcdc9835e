package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Who chooses a registry learns nothing of other hosts by having us led to them: an error is
// the same whether a host refuses, is silent, cuts the connection off or fails in TLS.
func TestHideElsewhere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	hosts := map[provider.Class]string{
		provider.ClassUnreachable: closed.Addr().String(),
		provider.ClassTimeout:     listen(t),
		provider.ClassTLS:         hostOf(plain),
	}
	for _, how := range []string{"redirect", "realm"} {
		var mu sync.Mutex
		texts := map[string]bool{}
		var group sync.WaitGroup
		for class, host := range hosts {
			reg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if how == "redirect" {
					http.Redirect(w, r, "https://"+host+"/x", http.StatusFound)
					return
				}
				w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+host+`/x"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
			for _, last := range []bool{false, true} {
				var reported atomic.Int32
				p := open(t, nil, trusting(reg), func(c *registry.Config) {
					c.HideElsewhere = true
					c.Observe = func(x registry.Exchange) {
						if x.Host == host && x.Class == class {
							reported.Add(1)
						}
					}
				})
				req := request(mustParse(t, hostOf(reg)+"/a/b:1"))
				req.Last = last
				group.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // beyond the limit to connect
					defer cancel()
					_, err := p.Image(ctx, req)
					e, ok := errors.AsType[*provider.Error](err)
					if !ok || e.Class != provider.ClassUnreachable || !e.Elsewhere || reported.Load() == 0 {
						t.Errorf("%s, %v: told %d times of it: %v", how, class, reported.Load(), err)
						return
					}
					if errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s, %v: it says that there was no answer: %v", how, class, err)
					}
					mu.Lock()
					defer mu.Unlock()
					texts[strings.NewReplacer(host, "HOST", hostOf(reg), "REGISTRY").Replace(err.Error())] = true
				})
			}
		}
		group.Wait()
		if len(texts) != 1 {
			t.Errorf("%s: they are told apart: %q", how, slices.Sorted(maps.Keys(texts)))
		}
	}
}

// listen accepts connections and says nothing. It returns its address.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

// Nothing is dialled in a refused network for a registry that no policy named, however its
// address is written or found.
func TestRefuseNetworks(t *testing.T) {
	var asked atomic.Int32
	reg := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	})
	_, port, _ := net.SplitHostPort(hostOf(reg))
	names := map[string][]netip.Addr{}
	for name, addr := range map[string]string{
		"v4.example.com": "127.0.0.1", "mapped.example.com": "::ffff:127.0.0.1", "v6.example.com": "::1", "unspecified.example.com": "0.0.0.0",
		"metadata.example.com": "169.254.169.254", "link.example.com": "fe80::1%lo", "cluster.example.com": "10.128.3.4",
		"nat64.example.com": "64:ff9b::a80:304", "unspecified6.example.com": "::",
	} {
		names[name] = []netip.Addr{netip.MustParseAddr(addr)}
	}
	p := open(t, nil, trusting(reg), longLimits, func(c *registry.Config) {
		c.RefuseNetworks = []netip.Prefix{netip.MustParsePrefix("10.128.0.0/14")}
		c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			if addrs, ok := names[host]; ok {
				return addrs, nil
			}
			return net.DefaultResolver.LookupNetIP(t.Context(), "ip", host)
		}
	})
	hosts := []string{"127.0.0.1", "[::1]", "localhost", "127.8.9.10", "10.131.255.255", "[64:ff9b::7f00:1]"}
	for name := range names {
		hosts = append(hosts, name)
	}
	for _, host := range hosts {
		_, err := p.Image(t.Context(), request(mustParse(t, host+":"+port+"/a/b:1")))
		wantError(t, err, provider.ClassForbidden, "is in a network that is refused")
		if _, err := p.Lookup(t.Context(), request(mustParse(t, host+":"+port+"/a/b:1"))); provider.ClassOf(err) != provider.ClassForbidden {
			t.Errorf("a release at %s: %v", host, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Fatalf("it was asked %d times", n)
	}
	// A policy may name it. That opens no way for who names it without one.
	for range 2 {
		for _, byPolicy := range []bool{true, false} {
			req := request(mustParse(t, hostOf(reg)+"/a/b:1"))
			req.ByPolicy = byPolicy
			want := provider.ClassForbidden
			if byPolicy {
				want = provider.ClassNotFound
			}
			if _, err := p.Image(t.Context(), req); provider.ClassOf(err) != want {
				t.Errorf("by policy %t: %v", byPolicy, err)
			}
		}
	}
	if n := asked.Load(); n == 0 {
		t.Error("it was never asked")
	}
	// What is not refused is dialled.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := p.Image(ctx, request(mustParse(t, "198.51.100.1:"+port+"/a/b:1")))
	if class := provider.ClassOf(err); class == provider.ClassForbidden || class == provider.ClassInvalid {
		t.Errorf("another network: %v", err)
	}
}

// The same for hosts that such a registry leads to. The registry is behind a proxy, which is
// dialled although it is in a refused network.
func TestRefuseNetworksElsewhere(t *testing.T) {
	var asked atomic.Int32
	inside := serve(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); fmt.Fprint(w, `{"token":"t"}`) })
	for how, location := range map[string]string{
		"redirect": "https://" + hostOf(inside) + "/x", "plain redirect": "http://" + hostOf(inside) + "/x", "realm": "https://" + hostOf(inside) + "/x",
	} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodConnect:
				w.WriteHeader(http.StatusBadGateway) // it has no TLS
			case how == "realm":
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+location+`"`)
				w.WriteHeader(http.StatusUnauthorized)
			default:
				http.Redirect(w, r, location, http.StatusFound)
			}
		}))
		t.Cleanup(proxy.Close)
		for _, byPolicy := range []bool{false, true} {
			p := open(t, nil, trusting(inside), func(c *registry.Config) {
				c.RefuseNetworks = []netip.Prefix{netip.MustParsePrefix("10.128.0.0/14")}
				c.Proxy = func(r *http.Request) (*url.URL, error) {
					if byPolicy && strings.HasPrefix(r.URL.Host, "127.") {
						return nil, nil
					}
					return url.Parse(proxy.URL)
				}
			})
			req := request(mustParse(t, "registry.example.com/a/b:1"))
			req.Insecure, req.ByPolicy = true, byPolicy
			before := asked.Load()
			_, err := p.Image(t.Context(), req)
			if refused := provider.ClassOf(err) == provider.ClassForbidden; refused == byPolicy {
				t.Errorf("%s, by policy %t: %v", how, byPolicy, err)
			}
			if n := asked.Load() - before; (n > 0) != byPolicy && how != "plain redirect" {
				t.Errorf("%s, by policy %t: it was asked %d times", how, byPolicy, n)
			}
		}
	}
}

func TestRefuseNetworksConfig(t *testing.T) {
	for says, cfg := range map[string]registry.Config{
		"cannot be judged": {RefuseNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Dial: new(net.Dialer).DialContext},
		"that is none":     {RefuseNetworks: []netip.Prefix{{}}},
	} {
		if _, err := registry.New(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
