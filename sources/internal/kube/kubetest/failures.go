package kubetest

import (
	"net/http"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/sources"
)

// The API server is away at the start, comes, goes and comes again.
func (b *bench) testServerAway(t *testing.T) {
	b.clear(t)
	b.put(t, b.Object(b.Names[0], one))
	b.cluster.StopAPI(t)

	src := b.open(t, b.cluster.Config())
	f := b.resolve(t, src)
	away := func(s sources.SourceStatus) bool { return s.Err != nil && s.WatchErr != nil }
	f.awaitStatus(t, "the server to be reported away", away)
	if f.Current() != nil {
		t.Error("there are rules, though nobody has read the policies yet")
	}
	if err := f.status().Err; !utilnet.IsConnectionRefused(err) {
		t.Errorf("the error does not say that the connection is refused: %v", err)
	}

	b.cluster.StartAPI(t)
	f.await(t, one)
	f.awaitStatus(t, "a good status", good)

	b.cluster.StopAPI(t)
	f.awaitStatus(t, "the server to be reported away again", away)
	f.expect(t, one)

	b.cluster.StartAPI(t)
	b.put(t, b.Object(b.Names[0], two))
	f.await(t, two)
	f.awaitStatus(t, "a good status", good)
}

// The API server no longer knows what a watch wants to start from. It is asked
// for a version that is older than all it keeps, so the answer is its own.
func (b *bench) testWatchExpired(t *testing.T) {
	b.clear(t)
	b.put(t, b.Object(b.Names[0], one))
	conn := b.cluster.Config()
	var expire atomic.Bool
	expire.Store(true)
	OnWatch(conn, func(r *http.Request) {
		if expire.Load() {
			q := r.URL.Query()
			q.Set("resourceVersion", "1")
			r.URL.RawQuery = q.Encode()
		}
	})
	f := b.resolve(t, b.open(t, conn))
	f.awaitStatus(t, "the watch to be reported expired", func(s sources.SourceStatus) bool {
		return apierrors.IsResourceExpired(s.WatchErr)
	})
	f.expect(t, one)

	b.put(t, b.Object(b.Names[0], two))
	f.await(t, two) // even so, from one failed watch to the next
	expire.Store(false)
	f.awaitStatus(t, "a good status", good)
	b.put(t, b.Object(b.Names[0], three))
	f.await(t, three)
}

// The API server ends each watch in good order after a second, as it does after
// some minutes: nothing is missed, and nothing is wrong.
func (b *bench) testWatchEnds(t *testing.T) {
	b.clear(t)
	conn := b.cluster.Config()
	var watches atomic.Int32
	OnWatch(conn, func(r *http.Request) {
		watches.Add(1)
		Brief(r)
	})
	f := b.resolve(t, b.open(t, conn))
	for watches.Load() < 3 {
		for _, location := range []string{one, two, three} {
			b.put(t, b.Object(b.Names[0], location))
			f.await(t, location)
		}
	}
	f.awaitStatus(t, "a good status", good)
}

// Brief makes the server end a watch after a second.
func Brief(r *http.Request) {
	q := r.URL.Query()
	q.Set("timeoutSeconds", "1")
	r.URL.RawQuery = q.Encode()
}

// OnWatch calls change with each request for a watch before it is sent. change may alter it.
func OnWatch(conn *rest.Config, change func(*http.Request)) {
	conn.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if isWatch(r) {
				r = r.Clone(r.Context())
				change(r)
			}
			return next.RoundTrip(r)
		})
	})
}

func isWatch(r *http.Request) bool { return r.URL.Query().Get("watch") == "true" }

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
