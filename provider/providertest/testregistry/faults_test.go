package testregistry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

var protocols = map[string]testregistry.Config{
	"HTTP/2":   {},
	"HTTP/1.1": {NoHTTP2: true},
	"plain":    {PlainHTTP: true},
}

// Faults that change what is answered: the client gets something complete.
func TestAnswersWrong(t *testing.T) {
	other := testpayload.Must(testpayload.Spec{Docker: true}.Image())
	for name, cfg := range protocols {
		t.Run(name, func(t *testing.T) {
			reg, c, img := start(t, cfg)
			blob := img.Top().Bytes()
			flipped := bytes.Clone(blob)
			flipped[3] ^= 1
			last := bytes.Clone(blob)
			last[len(last)-1] ^= 1
			blobPath := "/v2/team/app/blobs/" + img.Top().Digest
			manifestPath := "/v2/team/app/manifests/" + img.Digest
			for _, f := range []struct {
				action testregistry.Action
				path   string
				status int
				body   []byte // nil: not looked at
				header http.Header
			}{
				{testregistry.Status(503), manifestPath, 503, nil, nil},
				{testregistry.Status(401), manifestPath, 401, nil, http.Header{"Www-Authenticate": {`Basic realm="testregistry"`}}},
				{testregistry.RetryLater(429, "7"), manifestPath, 429, nil, http.Header{"Retry-After": {"7"}}},
				{testregistry.FlipByte(3), blobPath, 200, flipped, nil},
				{testregistry.FlipByte(-1), blobPath, 200, last, nil},
				{testregistry.Truncate(20), blobPath, 200, blob[:20], http.Header{"Content-Length": {"20"}}},
				{testregistry.Truncate(1 << 20), blobPath, 200, blob, nil},
				{testregistry.Replace([]byte("x")), blobPath, 200, []byte("x"), http.Header{"Docker-Content-Digest": {img.Top().Digest}}},
				{testregistry.ServeBlob(img.Config()), blobPath, 200, img.Config().Bytes(), http.Header{"Docker-Content-Digest": {img.Top().Digest}}},
				{testregistry.ServeManifest(other), manifestPath, 200, other.Manifest, http.Header{"Docker-Content-Digest": {img.Digest}, "Content-Type": {testpayload.DockerManifest}}},
				{testregistry.SetHeader("Docker-Content-Digest", "sha256:x"), manifestPath, 200, img.Manifest, http.Header{"Docker-Content-Digest": {"sha256:x"}}},
				{testregistry.SetHeader("Docker-Content-Digest", ""), manifestPath, 200, img.Manifest, http.Header{"Docker-Content-Digest": nil}},
				{testregistry.Redirect("https://example.com/x"), blobPath, 307, nil, http.Header{"Location": {"https://example.com/x"}}},
				{testregistry.Delay(time.Millisecond), blobPath, 200, blob, nil},
				{testregistry.Drip(time.Microsecond), blobPath, 200, blob, nil},
			} {
				remove := reg.Fail(testregistry.Match{}, f.action)
				r := c.want(c.do("GET", f.path), f.status)
				if f.body != nil && !bytes.Equal(r.body, f.body) {
					t.Errorf("%s: body %q", f.action, r.body)
				}
				for k := range f.header {
					if got, want := r.Header.Get(k), f.header.Get(k); got != want {
						t.Errorf("%s: %s is %q, want %q", f.action, k, got, want)
					}
				}
				if qs := reg.Requests(); qs[len(qs)-1].Fault != f.action.String() {
					t.Errorf("%s: logged as %q", f.action, qs[len(qs)-1].Fault)
				}
				remove()
				c.want(c.do("GET", f.path), 200)
			}
		})
	}
}

// Faults in how it is answered: the client sees that something is wrong.
func TestAnswersBroken(t *testing.T) {
	for name, cfg := range protocols {
		t.Run(name, func(t *testing.T) {
			reg, c, img := start(t, cfg)
			path := "/v2/team/app/blobs/" + img.Top().Digest
			for _, f := range []struct {
				action testregistry.Action
				header bool  // the client got one
				n      int   // bytes of the body, at most
				err    error // of the socket, where it is plain
			}{
				{testregistry.Reset(), false, 0, syscall.ECONNRESET},
				{testregistry.ResetAfter(10), true, 10, syscall.ECONNRESET},
				{testregistry.CutOff(10), true, 10, io.ErrUnexpectedEOF},
				{testregistry.CutOff(0), true, 0, io.ErrUnexpectedEOF},
			} {
				remove := reg.Fail(testregistry.Match{Kind: testregistry.Blob}, f.action)
				r := c.do("GET", path)
				switch {
				case r.err == nil:
					t.Errorf("%s: got %d bytes", f.action, len(r.body))
				case cfg.PlainHTTP && r.Response != nil && !errors.Is(r.err, f.err):
					t.Errorf("%s: %v, want %v", f.action, r.err, f.err)
				case r.Response != nil && (!f.header || len(r.body) > f.n):
					t.Errorf("%s: answered %d, %d bytes", f.action, r.StatusCode, len(r.body))
				}
				remove()
				c.want(c.do("GET", path), 200)
			}
		})
	}
}

// What has no body is answered as if faults of bodies were not there: to HEAD, by a
// redirect, or by "not modified".
func TestNoBodyToSpoil(t *testing.T) {
	for name, cfg := range protocols {
		t.Run(name, func(t *testing.T) {
			cfg.RedirectBlobs = true
			reg, c, img := start(t, cfg)
			manifest, blob := "/v2/team/app/manifests/"+img.Digest, "/v2/team/app/blobs/"+img.Top().Digest
			for _, a := range []testregistry.Action{
				testregistry.Truncate(0), testregistry.HangAfterHeader(), testregistry.HangAfter(0), testregistry.ResetAfter(0),
				testregistry.CutOff(0), testregistry.Drip(time.Hour), testregistry.FlipByte(0),
			} {
				remove := reg.Fail(testregistry.Match{Endpoint: "registry"}, a)
				for _, q := range []struct {
					method, path, unless string
					status               int
				}{{"HEAD", manifest, "", 200}, {"GET", blob, "", 307}, {"GET", manifest, `"` + img.Digest + `"`, 304}} {
					var header []string
					if q.unless != "" {
						header = []string{"If-None-Match", q.unless}
					}
					if r := c.do(q.method, q.path, header...); r.err != nil || r.Response == nil || r.StatusCode != q.status || len(r.body) != 0 {
						t.Errorf("%s: %s for %s: %v, want %d", a, q.method, q.path, r.err, q.status)
					}
				}
				remove()
			}
		})
	}
}

// A handler that hangs over HTTP/1 with a further request waiting behind it ends when
// its connection is closed here, although net/http does not tell it.
func TestHangEndsWithConnection(t *testing.T) {
	reg, _, img := start(t, testregistry.Config{PlainHTTP: true})
	reg.Fail(testregistry.Match{}, testregistry.Hang())
	conn, err := net.Dial("tcp", reg.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "GET /v2/team/app/manifests/" + img.Digest + " HTTP/1.1\r\nHost: " + reg.Host() + "\r\n\r\n"
	// The second is to arrive once the first has, or it would be read with it.
	for range 2 {
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if err := reg.Wait(t.Context(), 1, testregistry.Match{}); err != nil {
			t.Fatal(err)
		}
	}
	reg.Main().CloseConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !reg.Requests()[0].Done {
		select {
		case <-ctx.Done():
			t.Fatal("it hangs on though its connection was closed")
		default:
			runtime.Gosched()
		}
	}
}

// Faults that never end by themselves: the client's patience ends them.
func TestNeverAnswers(t *testing.T) {
	for name, cfg := range protocols {
		t.Run(name, func(t *testing.T) {
			reg, c, img := start(t, cfg)
			path := "/v2/team/app/blobs/" + img.Top().Digest
			for _, f := range []struct {
				action testregistry.Action
				header bool
				least  int // bytes of the body
			}{
				{testregistry.Hang(), false, 0},
				{testregistry.HangAfterHeader(), true, 0},
				{testregistry.HangAfter(10), true, 10},
				{testregistry.Drip(time.Hour), true, 1},
				{testregistry.Delay(time.Hour), false, 0},
				{testregistry.Endless(), true, 1 << 20},
			} {
				remove := reg.Fail(testregistry.Match{}, f.action)
				ctx, cancel := context.WithCancel(t.Context())
				req, err := http.NewRequestWithContext(ctx, "GET", reg.URL()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !f.header {
					// The header does not come: give up once the request has arrived.
					before := reg.Count()
					go func() {
						_ = reg.Wait(ctx, before+1, testregistry.Match{})
						cancel()
					}()
				}
				resp, err := c.http.Do(req)
				if (err == nil) != f.header {
					t.Errorf("%s: %v", f.action, err)
				}
				if err == nil {
					if _, err := io.CopyN(io.Discard, resp.Body, int64(f.least)); err != nil {
						t.Errorf("%s: %v in the first %d bytes", f.action, err, f.least)
					}
					cancel()
					if _, err := io.Copy(io.Discard, resp.Body); err == nil {
						t.Errorf("%s: the body ended", f.action)
					}
					_ = resp.Body.Close()
				}
				cancel()
				remove()
			}
		})
	}
}

func TestFaultCounts(t *testing.T) {
	reg, c, img := start(t, testregistry.Config{})
	path := "/v2/team/app/manifests/" + img.Digest
	status := func() int { return c.do("GET", path).StatusCode }

	reg.Inject(testregistry.Fault{Match: testregistry.Match{Kind: testregistry.Manifest}, After: 1, Times: 2, Action: testregistry.Status(500)})
	for i, want := range []int{200, 500, 500, 200} {
		if got := status(); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	// The first of two strikes; what does not match is left alone.
	reg.Fail(testregistry.Match{Method: "HEAD"}, testregistry.Status(404))
	reg.Fail(testregistry.Match{Repository: "team/app", Reference: img.Digest}, testregistry.Status(502))
	remove := reg.Fail(testregistry.Match{}, testregistry.Status(503))
	c.want(c.do("HEAD", path), 404)
	c.want(c.do("GET", path), 502)
	c.want(c.do("GET", "/v2/team/app/manifests/v1"), 503)
	remove()
	c.want(c.do("GET", "/v2/team/app/manifests/v1"), 200)
	reg.Fail(testregistry.Match{If: func(q testregistry.Request) bool { return q.Header.Get("X-Test") != "" }}, testregistry.Status(418))
	c.want(c.do("GET", "/v2/", "X-Test", "1"), 418)
	reg.ClearFaults()
	c.want(c.do("GET", path, "X-Test", "1"), 200)
}
