package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// server answers requests by path, or by "watch" where they are for a watch, with
// a status and a body. What it has no answer for is not found.
type server struct {
	answers map[string]answer

	mu   sync.Mutex
	seen []*http.Request
}

type answer struct {
	status int
	body   string
	hang   bool // until the request's context ends
	fail   error
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.URL.Path
	if r.URL.Query().Get("watch") == "true" {
		key = "watch"
	}
	s.mu.Lock()
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	a, ok := s.answers[key]
	if !ok {
		a = answer{status: http.StatusNotFound, body: "404 page not found"}
	}
	if a.fail != nil {
		return nil, a.fail
	}
	if a.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp := &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(a.body)),
	}
	return resp, nil
}

func (s *server) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.seen...)
}

func (s *server) open(t *testing.T, k Kind) *source {
	t.Helper()
	src, err := open(k, Config{REST: &rest.Config{Host: "https://127.0.0.1:6443", Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func ok(body string) answer { return answer{status: http.StatusOK, body: body} }

const (
	idmsPath = "/apis/config.openshift.io/v1/imagedigestmirrorsets"
	groups   = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"config.openshift.io","versions":[{"groupVersion":"config.openshift.io/v1","version":"v1"}]}]}`
	without  = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"config.openshift.io/v1","resources":[{"name":"images","kind":"Image"}]}`
	with     = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"config.openshift.io/v1","resources":[{"name":"imagedigestmirrorsets","kind":"ImageDigestMirrorSet"}]}`
	others   = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}]}]}`
)

// A 404 empties the rules only where discovery says that the kind is not there.
func TestAbsence(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string]answer
		err     string // empty: absent
	}{
		{name: "no group", answers: map[string]answer{"/apis": ok(others)}},
		{name: "group without the kind", answers: map[string]answer{"/apis": ok(groups), "/apis/config.openshift.io/v1": ok(without)}},
		{name: "discovery disagrees", answers: map[string]answer{"/apis": ok(groups), "/apis/config.openshift.io/v1": ok(with)}, err: "yet discovery names it"},
		{name: "no discovery of the group", answers: map[string]answer{"/apis": ok(groups)}, err: "discovery of config.openshift.io/v1 fails"},
		{name: "no API server", err: "discovery fails"},
		{name: "a web server", answers: map[string]answer{"/apis": ok("<html>welcome</html>")}, err: "discovery fails"},
		{name: "no groups", answers: map[string]answer{"/apis": ok(`{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)}, err: "is this the API server?"},
		{name: "discovery is forbidden", answers: map[string]answer{"/apis": {status: http.StatusForbidden, body: "{}"}}, err: "discovery fails"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := (&server{answers: c.answers}).open(t, IDMS()).Load(t.Context())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %+v and %v, want an error with %q", p, err, c.err)
				}
				if _, wrong := errors.AsType[*policy.InvalidPolicyError](err); wrong {
					t.Errorf("a cluster that is away is called an invalid policy: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Rules) != 0 || len(p.Warnings) != 1 || p.Warnings[0].Code != policy.WarnKindAbsent {
				t.Errorf("got %+v, want nothing but a warning", p)
			}
		})
	}
}

// Objects come in the order of their names, entries in their own, whatever the
// order of the list.
func TestOrder(t *testing.T) {
	const list = `{"kind":"ImageDigestMirrorSetList","apiVersion":"config.openshift.io/v1","metadata":{"resourceVersion":"7"},"items":[
		{"metadata":{"name":"b"},"spec":{"imageDigestMirrors":[
			{"source":"z.example.com","mirrors":["m2.example.com","m1.example.com"],"mirrorSourcePolicy":"NeverContactSource"},
			{"source":"y.example.com","mirrors":["m3.example.com"]}]}},
		{"metadata":{"name":"a"},"spec":{"imageDigestMirrors":[
			{"source":"x.example.com","mirrors":["m4.example.com"],"mirrorSourcePolicy":"AllowContactingSource"}]}}]}`
	srv := &server{answers: map[string]answer{idmsPath: ok(list)}}
	p, err := srv.open(t, IDMS()).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Rules {
		line := r.Origin + " " + r.Source
		for _, m := range r.Mirrors {
			line += " " + m.Location
		}
		if r.NeverContactSource {
			line += " never"
		}
		got = append(got, line)
	}
	want := "imagedigestmirrorset/a#1 x.example.com m4.example.com\n" +
		"imagedigestmirrorset/b#1 z.example.com m2.example.com m1.example.com never\n" +
		"imagedigestmirrorset/b#2 y.example.com m3.example.com"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if n := len(srv.requests()); n != 1 {
		t.Errorf("a load took %d requests, want 1", n)
	}
}

// One object that means nothing spoils the whole: half of a policy may allow what
// the whole forbids.
func TestInvalidObject(t *testing.T) {
	const list = `{"kind":"ImageDigestMirrorSetList","apiVersion":"config.openshift.io/v1","items":[
		{"metadata":{"name":"a"},"spec":{"imageDigestMirrors":[{"source":"x.example.com","mirrors":["m.example.com"]}]}},
		{"metadata":{"name":"b"},"spec":{"imageDigestMirrors":[{"source":"y.example.com","mirrors":["m.example.com"],"mirrorSourcePolicy":"Sometimes"}]}}]}`
	p, err := (&server{answers: map[string]answer{idmsPath: ok(list)}}).open(t, IDMS()).Load(t.Context())
	wrong, is := errors.AsType[*policy.InvalidPolicyError](err)
	if !is || wrong.Origin != "imagedigestmirrorset/b#1" {
		t.Errorf("got %+v and %v, want an InvalidPolicyError for imagedigestmirrorset/b#1", p, err)
	}
	if len(p.Rules) != 0 {
		t.Errorf("a failed Load returns half a policy: %+v", p)
	}
}

// Only the one object is asked for, so that a role may be limited to it.
func TestImageConfigIsOneObject(t *testing.T) {
	srv := &server{answers: map[string]answer{
		"/apis/config.openshift.io/v1/images": ok(`{"kind":"ImageList","apiVersion":"config.openshift.io/v1","items":[]}`),
		"watch":                               ok(""),
	}}
	src := srv.open(t, ImageConfig())
	if _, err := src.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := src.Watch(t.Context(), func() {}); err == nil {
		t.Error("Watch ended without an error")
	}
	requests := srv.requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests, want a list and a watch", len(requests))
	}
	for _, r := range requests {
		if got := r.URL.Query().Get("fieldSelector"); got != "metadata.name=cluster" {
			t.Errorf("%s has the field selector %q", r.URL, got)
		}
	}
}

// A watch asks for metadata, from any version, for a limited time; and one that
// the server ends at once is an error rather than a loop.
func TestWatchEndsAtOnce(t *testing.T) {
	srv := &server{answers: map[string]answer{"watch": ok("")}}
	signals := 0
	err := srv.open(t, IDMS()).Watch(t.Context(), func() { signals++ })
	if err == nil || !strings.Contains(err.Error(), "at once") {
		t.Errorf("got %v, want an error", err)
	}
	if signals != 1 {
		t.Errorf("%d signals, want 1", signals)
	}
	requests := srv.requests()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1", len(requests))
	}
	r := requests[0]
	if q := r.URL.Query(); r.URL.Path != idmsPath || q.Get("resourceVersion") != "0" || q.Get("timeoutSeconds") == "" {
		t.Errorf("the watch asks %s", r.URL)
	}
	if accept := r.Header.Get("Accept"); !strings.Contains(accept, "as=PartialObjectMetadata") {
		t.Errorf("the watch accepts %q", accept)
	}
}

// A server that takes a watch and never answers is left after a while.
func TestWatchNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{answers: map[string]answer{"watch": {hang: true}}}
		err := srv.open(t, IDMS()).Watch(t.Context(), func() { t.Error("signalled") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline that was exceeded", err)
		}
	})
}

// An absent kind is looked for at every interval, and signalled once.
func TestWatchAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &server{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second)
		defer cancel()
		signals := 0
		err := srv.open(t, IDMS()).Watch(ctx, func() { signals++ })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if n := len(srv.requests()); n != 7 || signals != 1 {
			t.Errorf("%d requests and %d signals in a minute, want 7 and 1", n, signals)
		}
	})
}

// The same failure has the same text: it is logged when it changes.
func TestErrorsAreStable(t *testing.T) {
	refused := errors.New("connection refused")
	src := (&server{answers: map[string]answer{"watch": {fail: refused}, idmsPath: {fail: refused}}}).open(t, IDMS())
	_, load := src.Load(t.Context())
	watch := src.Watch(t.Context(), func() { t.Error("signalled") })
	for range 10 {
		if _, err := src.Load(t.Context()); !errors.Is(err, refused) || err.Error() != load.Error() {
			t.Fatalf("Load says %v after %v", err, load)
		}
		if err := src.Watch(t.Context(), func() {}); !errors.Is(err, refused) || err.Error() != watch.Error() {
			t.Fatalf("Watch says %v after %v", err, watch)
		}
	}
}

// Failures have the class that says what to do about them.
func TestErrorClasses(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
	for _, c := range []struct {
		name   string
		answer answer
		class  provider.Class
		status int
	}{
		{"unauthorized", answer{status: 401, body: "{}"}, provider.ClassUnauthorized, 401},
		{"forbidden", answer{status: 403, body: "{}"}, provider.ClassUnauthorized, 403},
		{"throttled", answer{status: 429, body: "{}"}, provider.ClassThrottled, 429},
		{"server", answer{status: 500, body: "{}"}, provider.ClassServer, 500},
		{"unreachable", answer{fail: dial}, provider.ClassUnreachable, 0},
		{"unknown authority", answer{fail: x509.UnknownAuthorityError{}}, provider.ClassTLS, 0},
		{"wrong name", answer{fail: x509.HostnameError{Certificate: new(x509.Certificate)}}, provider.ClassTLS, 0},
		{"the caller's end", answer{fail: context.Canceled}, provider.ClassCanceled, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := (&server{answers: map[string]answer{"watch": c.answer, idmsPath: c.answer}}).open(t, IDMS())
			_, load := src.Load(t.Context())
			for what, err := range map[string]error{"Load": load, "Watch": src.Watch(t.Context(), func() {})} {
				if got := provider.ClassOf(err); got != c.class {
					t.Errorf("%s: the class is %v, want %v: %v", what, got, c.class, err)
				}
				if e, ok := errors.AsType[*provider.Error](err); ok && e.Status != c.status {
					t.Errorf("%s: the status is %d, want %d", what, e.Status, c.status)
				}
			}
		})
	}
}

func TestNoArgument(t *testing.T) {
	f := Factory(ITMS(), Config{REST: &rest.Config{}})
	if _, err := f.Open(t.Context(), "prod"); err == nil || !strings.Contains(err.Error(), "no argument") {
		t.Errorf("got %v, want an error that refuses the argument", err)
	}
}
