package httpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/httpserver"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	r := start(t)
	r.set(config, "good")
	r.set("<html>", "garbage")
	r.set(`{"a":1}`, "json")
	r.set(config+config, "twice")
	text := "text/plain; charset=utf-8"
	for _, c := range []struct {
		name, method, path, authorization string
		status                            int
		body, contentType                 string
	}{
		{"ok", "GET", "/ignition", authorize("good"), 200, config, "application/json; charset=utf-8"},
		{"any method", "POST", "/ignition", authorize("good"), 200, config, "application/json; charset=utf-8"},
		{"path goes on", "GET", "/ignition-x?a=b", authorize("good"), 200, config, "application/json; charset=utf-8"},
		{"no header", "GET", "/ignition", "", 401, "Unauthorized\n", text},
		{"another scheme", "GET", "/ignition", "Basic eDp5", 401, "Unauthorized\n", text},
		{"lower case", "GET", "/ignition", "bearer " + base64.StdEncoding.EncodeToString([]byte("good")), 401, "Unauthorized\n", text},
		{"no base64", "GET", "/ignition", "Bearer good!", 401, "Unauthorized\n", text},
		{"unpadded base64", "GET", "/ignition", "Bearer " + base64.RawStdEncoding.EncodeToString([]byte("good")), 401, "Unauthorized\n", text},
		{"unknown token", "GET", "/ignition", authorize("bad"), 511, "Token not found\n", text},
		{"empty token", "GET", "/ignition", "Bearer ", 401, "Unauthorized\n", text}, // net/http trims the space
		{"garbage", "GET", "/ignition", authorize("garbage"), 500, "Invalid ignition payload\n", text},
		{"no ignition", "GET", "/ignition", authorize("json"), 500, "Invalid ignition payload\n", text},
		{"more than one", "GET", "/ignition", authorize("twice"), 500, "Invalid ignition payload\n", text},
		{"root", "GET", "/", authorize("good"), 404, "404 page not found\n", text},
		{"below", "GET", "/ignition/x", authorize("good"), 404, "404 page not found\n", text},
		{"space", "GET", "/ignition%20", authorize("good"), 404, "404 page not found\n", text},
		{"above", "GET", "/x/ignition", authorize("good"), 404, "404 page not found\n", text},
		{"double slash", "GET", "//ignition", authorize("good"), 404, "404 page not found\n", text},
		{"health", "GET", "/healthz", "", 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := r.do(c.method, c.path, c.authorization)
			if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Type") != c.contentType {
				t.Errorf("%d %q as %q\nwant %d %q as %q", resp.StatusCode, body, resp.Header.Get("Content-Type"), c.status, c.body, c.contentType)
			}
			if resp.ProtoMajor != 1 {
				t.Errorf("spoke %s", resp.Proto)
			}
		})
	}
	r.wait("served token-np-1", 3)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	counts := map[string]int{}
	for _, w := range r.all() {
		counts[w]++
	}
	want := map[string]int{"served token-np-1": 3, "get clusters/np": 3, "reached token-np-1": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("told %v; want %v: only of payloads served, and by their own names", counts, want)
	}
	for _, e := range r.logs.All() {
		if s := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(s, base64.StdEncoding.EncodeToString([]byte("good"))) {
			t.Errorf("the log has a token: %s", s)
		}
	}
}

// D46-D55: who has no token causes nothing.
func TestUnauthenticatedCausesNothing(t *testing.T) {
	r := start(t)
	for range 100 {
		r.do("GET", "/ignition", "")
		r.do("GET", "/ignition", "Bearer !")
		r.do("GET", "/ignition", authorize("guess"))
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := r.all(); len(got) != 0 {
		t.Errorf("told %v", got)
	}
}

func TestTLS(t *testing.T) {
	r := start(t)
	_, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.ca.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	c, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.ca.Pool(), MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := c.ConnectionState().NegotiatedProtocol; p == "h2" {
		t.Errorf("negotiated %q", p)
	}
	resp, err := http.Get("http://" + r.addr + "/healthz")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode == 200 {
			t.Error("plain HTTP is answered")
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestCertificateIsReloaded(t *testing.T) {
	r := start(t)
	serial := func() string {
		c, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.ca.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old := serial()
	r.writeCert()
	deadline := time.Now().Add(30 * time.Second)
	for serial() == old {
		if time.Now().After(deadline) {
			t.Fatal("the old certificate is still served")
		}
	}
}

// A request that has begun when the server stops gets its answer.
func TestDrain(t *testing.T) {
	entered, let := make(chan struct{}), make(chan struct{})
	r := start(t, func(c *httpserver.Config) {
		c.Payloads = lookup(func(string) (tokens.Payload, bool) {
			close(entered)
			<-let
			return tokens.Payload{Secret: "s", Body: []byte(config), Valid: true}, true
		})
	})
	answered := make(chan int, 1)
	go func() {
		resp, _ := r.do("GET", "/ignition", authorize("x"))
		answered <- resp.StatusCode
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	deadline := time.Now().Add(30 * time.Second)
	for { // the listener is closed first
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("new connections are still taken")
		}
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped while a request was under way: %v", err)
	default:
	}
	close(let)
	if status := <-answered; status != 200 {
		t.Errorf("the request got %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	r.wait("reached s", 1) // what it causes is done before the server is gone
}

// What does not end in time is cut off, and said.
func TestDrainGivesUp(t *testing.T) {
	calls := &atomic.Int64{}
	r := start(t, func(c *httpserver.Config) {
		c.Drain = 50 * time.Millisecond
		c.Hooks.Reached = func(ctx context.Context, _ httpserver.Secret) error {
			calls.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
	})
	r.set(config, "good")
	r.do("GET", "/ignition", authorize("good"))
	r.wait("served token-np-1", 1)
	if err := r.stop(); err == nil || calls.Load() != 1 {
		t.Errorf("got %v after %d calls; want an error", err, calls.Load())
	}
}

// An API server that is away costs no node anything, and the annotation comes later.
func TestReachedIsRetried(t *testing.T) {
	r := start(t, func(c *httpserver.Config) {
		var n atomic.Int64
		note := c.Hooks.Reached
		c.Hooks.Reached = func(ctx context.Context, s httpserver.Secret) error {
			if n.Add(1) == 1 {
				return errors.New("away")
			}
			return note(ctx, s)
		}
	})
	r.set(config, "good")
	r.do("GET", "/ignition", authorize("good"))
	r.wait("reached token-np-1", 1)
}

// A Secret that was deleted and made again under its name has been reached by nobody.
func TestReachedUnderANameAgain(t *testing.T) {
	r := start(t)
	for i, uid := range []string{"one", "two"} {
		if err := r.store.ForgetOthers(t.Context(), "token-np-1", uid); err != nil {
			t.Fatal(err)
		}
		p := tokens.Payload{Secret: "token-np-1", UID: uid, NodePool: "clusters/np", Body: []byte(config)}
		if err := r.store.Set(t.Context(), p, "token of "+uid); err != nil {
			t.Fatal(err)
		}
		for range 2 { // once for each
			r.do("GET", "/ignition", authorize("token of "+uid))
		}
		r.wait("served token-np-1", 2*(i+1))
		r.wait("reached token-np-1", i+1)
	}
	if resp, _ := r.do("GET", "/ignition", authorize("token of one")); resp.StatusCode != http.StatusNetworkAuthenticationRequired {
		t.Errorf("the token of the first is answered with %d", resp.StatusCode)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range r.all() {
		if s == "reached token-np-1" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("annotated %d times; want once for each Secret", n)
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	t.Parallel() // it takes the read timeout
	r := start(t)
	c, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: r.ca.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /ignition HTTP/1.1\r\nHost: x\r\n"); err != nil { // and no more
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	if _, err := bufio.NewReader(c).ReadString(0); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it may take for ever")
	}
}

func TestHeaderIsBounded(t *testing.T) {
	r := start(t)
	resp, _ := r.do("GET", "/ignition", "Bearer "+url.QueryEscape(strings.Repeat("A", 100<<10)))
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// Many nodes boot at once while payloads come and go.
func TestStampede(t *testing.T) {
	r := start(t)
	r.set(config, "good")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 10 {
				if i == 0 {
					r.set(config, fmt.Sprint("t", n))
					continue
				}
				if resp, _ := r.do("GET", "/ignition", authorize("good")); resp.StatusCode != 200 {
					t.Errorf("got %d", resp.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	r.wait("served token-np-1", 150)
}

func TestNew(t *testing.T) {
	if _, err := httpserver.New(httpserver.Config{}); err == nil {
		t.Error("no payloads: no error")
	}
	store, _ := tokens.OpenStore(tokens.StoreConfig{})
	if _, err := httpserver.New(httpserver.Config{Payloads: store, CertFile: "/does/not/exist", KeyFile: "/nor/this"}); err == nil {
		t.Error("no certificate: no error")
	}
}
