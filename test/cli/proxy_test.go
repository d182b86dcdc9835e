package cli

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/rogpeppe/go-internal/testscript"
)

// namedHost resolves nowhere: only a proxy leads there.
const namedHost = "registry.mirrorchain.invalid"

// proxyCmd starts an HTTP proxy that leads everything to one registry, and sets
// the environment variable NAME to its address: proxy NAME REGISTRY.
func proxyCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: proxy NAME REGISTRY")
	}
	s := ts.Value(siteKey{}).(*site)
	to := s.registries[args[1]].Main().Addr()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		tunnel(w, to)
	}))
	ts.Setenv(args[0], srv.Listener.Addr().String())
	ts.Defer(srv.Close)
}

// tunnel joins the client's connection with one to the given address until either
// side closes.
func tunnel(w http.ResponseWriter, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{}, 2)
	join := func(a, b net.Conn) {
		_, _ = io.Copy(a, b)
		done <- struct{}{}
	}
	go join(near, far)
	go join(far, near)
	<-done
	_ = near.Close()
	_ = far.Close()
	<-done
}
