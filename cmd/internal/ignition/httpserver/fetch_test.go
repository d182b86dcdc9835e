package httpserver_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/httpserver"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// largePayload is as large as that of a real node pool.
var largePayload = `{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"/x","contents":{"source":"data:,` + strings.Repeat("a", 540_000) + `"}}]}}`

// A payload is judged when it is stored, and sent as it is: a fetch neither parses nor
// copies it.
func TestFetchCostsNoPayload(t *testing.T) {
	r := start(t, func(c *httpserver.Config) {
		c.Payloads = lookup(func(string) (tokens.Payload, bool) {
			return tokens.Payload{Secret: "s", Body: []byte("no JSON"), Valid: true}, true
		})
	})
	if resp, body := r.do("GET", "/ignition", authorize("t")); resp.StatusCode != http.StatusOK || body != "no JSON" {
		t.Errorf("a payload that was judged is judged again: %d %q", resp.StatusCode, body)
	}

	r = start(t)
	r.set(largePayload, "large")
	r.set(config, "small")
	perFetch := func(token string) uint64 {
		const fetches = 50
		fetch(t, r.client, r.url, token) // the connection
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range fetches {
			fetch(t, r.client, r.url, token)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / fetches
	}
	small, large := perFetch("small"), perFetch("large")
	t.Logf("a fetch allocates %d bytes, and with a payload of %d bytes %d", small, len(largePayload), large)
	if large > small+100<<10 {
		t.Errorf("a fetch allocates %d bytes more with a payload of %d bytes", large-small, len(largePayload))
	}
}

// fetch fetches a payload and drops it. It returns how many bytes it had.
func fetch(t testing.TB, c *http.Client, url, token string) int64 {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/ignition", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", authorize(token))
	resp, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %v", resp.Status, err)
	}
	return n
}

// nodes is how many fetch at once in docs/benchmarks.md, P17.
const nodes = 1000

// P17: 1,000 nodes boot at once, each with a connection of its own: how long the slowest
// hundredth of them waits, and how much memory that takes, theirs included.
func BenchmarkStampede(b *testing.B) {
	var tr http.Transport
	r := start(b, func(c *httpserver.Config) { c.Metrics, c.Hooks = nil, httpserver.Hooks{} })
	r.set(largePayload, "t")
	tr.TLSClientConfig = &tls.Config{RootCAs: r.ca.Pool()}
	tr.DisableKeepAlives = true
	client := &http.Client{Transport: &tr}
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	peak := sampleHeap(ctx)
	var p99s []time.Duration
	for b.Loop() {
		took := make([]time.Duration, nodes)
		var ready, done sync.WaitGroup
		begin := make(chan struct{})
		ready.Add(nodes)
		for i := range took {
			done.Go(func() {
				ready.Done()
				<-begin
				began := time.Now()
				if n := fetch(b, client, r.url, "t"); n != int64(len(largePayload)) {
					b.Errorf("%d bytes", n)
				}
				took[i] = time.Since(began)
			})
		}
		ready.Wait()
		close(begin)
		done.Wait()
		slices.Sort(took)
		p99s = append(p99s, took[nodes*99/100])
	}
	slices.Sort(p99s)
	stop()
	b.ReportMetric(float64(p99s[len(p99s)/2]), "p99-ns")
	b.ReportMetric(float64(<-peak), "heap-bytes")
}

// sampleHeap returns how much more heap there was at most than now, once ctx has ended.
func sampleHeap(ctx context.Context) <-chan uint64 {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	idle, most := heap(), uint64(0)
	out := make(chan uint64, 1)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				out <- most
				return
			case <-tick.C:
				if now := heap(); now > idle {
					most = max(most, now-idle)
				}
			}
		}
	}()
	return out
}
