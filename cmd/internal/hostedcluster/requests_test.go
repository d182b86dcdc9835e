package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// What a change of the rules asks of the API server (docs/benchmarks.md, P11). The Deployments
// are written, each pull secret and its copy are looked at, and that is all. Nothing is read
// before: Deployments are written where not one Secret can be.
func TestP11Requests(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)))
	const clusters = 10
	traffic := new(traffic)
	w.operate(t, func(o *Options) {
		o.Log = nil
		o.REST.Wrap(traffic.wrap)
	})
	for n := range clusters {
		w.create(t, w.hostedCluster(fmt.Sprintf("c%03d", n)))
	}
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	have := func(overrides string) {
		t.Helper()
		cluster.Await(t, overrides, func(ctx context.Context) error { return w.allHave(ctx, clusters, overrides) })
	}
	edit := func(mirror string) {
		change(t, w, policy, func(p *unstructured.Unstructured) {
			p.Object["spec"] = w.idms("", mirror, w.mirror.Host()+"/mirror/release").Object["spec"]
		})
		have(source + "=" + mirror + "," + first)
	}
	have(first)
	w.quiet(t)
	// Manifest and release layer, manifest and config for the architecture: all read the same
	// with the same pull secret.
	if n := w.mirror.Count(); n != 4 {
		t.Errorf("%d requests to the registry for %d HostedClusters of one release, want 4", n, clusters)
	}

	traffic.reset()
	edit("y.example.com/r")
	cluster.Await(t, "the rest", func(context.Context) error {
		if n := traffic.counts()["GET secrets"]; n < 2*clusters {
			return fmt.Errorf("%d requests for Secrets", n)
		}
		return nil
	})
	counts := traffic.counts()
	t.Logf("one change of the rules, %d HostedClusters: %v", clusters, counts)
	total := 0
	for what, n := range counts {
		total += n
		if !slices.Contains([]string{"PATCH deployments", "GET secrets", "PATCH hostedclusters"}, what) {
			t.Errorf("%d times %s", n, what)
		}
	}
	// Three, one more where the lookup takes longer than a moment, and a few for what
	// happened before and comes late on a busy machine: not twice as many, which would be a
	// second reconciliation.
	if most := 5 * clusters; total > most {
		t.Errorf("%d requests for %d HostedClusters, want %d at most", total, clusters, most)
	}

	// Last, because reconciliations that failed come again later than anybody can tell.
	traffic.refuse("GET secrets")
	edit("z.example.com/r")
	w.generationsAre(t, 3)
}

// traffic sees the requests of an operator for single objects. Its zero value is ready.
type traffic struct {
	mu      sync.Mutex
	refused string
	count   map[string]int
	written map[string]time.Time // Deployments, by namespace
}

var errRefused = errors.New("refused by the test")

func (f *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		what, namespace := object(req)
		f.mu.Lock()
		refused := what != "" && what == f.refused
		if what != "" {
			if f.count == nil {
				f.count, f.written = map[string]int{}, map[string]time.Time{}
			}
			f.count[what]++
		}
		f.mu.Unlock()
		if refused {
			return nil, errRefused
		}
		resp, err := next.RoundTrip(req)
		if what == "PATCH deployments" {
			f.mu.Lock()
			f.written[namespace] = time.Now()
			f.mu.Unlock()
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// object returns "GET secrets" for a request that is about one object in a namespace, and
// that namespace.
func object(req *http.Request) (what, namespace string) {
	_, rest, ok := strings.Cut(req.URL.Path, "/namespaces/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 {
		return "", ""
	}
	return req.Method + " " + parts[1], parts[0]
}

func (f *traffic) refuse(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = what
}

func (f *traffic) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count, f.written = map[string]int{}, map[string]time.Time{}
}

func (f *traffic) counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.count)
}

// deployments returns the times at which each was last written.
func (f *traffic) deployments() map[string]time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.written)
}
