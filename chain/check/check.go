package check

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Config configures [Run].
type Config struct {
	// Head asks one endpoint; a Provider of package provider/registry does. Required.
	Head provider.HeadProvider
	// Rules name the candidates of each image. Required.
	Rules *policy.Rules
	// Credentials are used for every request.
	Credentials provider.Credentials
	// Sources also asks the source if no mirror has an image. Without it, only images
	// for which the rules name no mirror are looked for at their source.
	Sources bool
	// All asks every endpoint for every image. Without it, an image is asked for as a node
	// does: until an endpoint has it.
	All bool
	// PerRegistry bounds the requests to one registry at a time; 16 if zero.
	PerRegistry int
	// Request bounds one request; 30 s if zero. A registry that answered none of several
	// requests in a row has a tenth of it for each further one, until it answers.
	Request time.Duration
	// Observer, if not nil, is told of attempts and retries.
	Observer chain.Observer
	// Done, if not nil, is called with each result when it is known, by one goroutine
	// at a time.
	Done func(Result)
}

// Item is one image to look for.
type Item struct {
	// Name is the caller's name for the image, such as the name of a component.
	Name string
	// Image is the canonical reference. It is looked for at its candidates.
	Image imageref.Ref
}

// Result is the result for one item.
type Result struct {
	Item
	// Found says where the image is. It is zero if Err is not nil.
	Found chain.Found
	// Err is the reason why the image is not available, in most cases a [*chain.Error]
	// with every attempt.
	Err error
	// At are the endpoints of the image in order, and what each of them said. It is nil
	// for an image without any.
	At []Endpoint
}

// Missing reports whether all endpoints that were asked answered that they do not have
// the image. After any other error it is unknown whether the image exists: an endpoint
// that may have it could not be asked.
func (r Result) Missing() bool {
	e, ok := errors.AsType[*chain.Error](r.Err)
	return ok && len(e.Attempts) > 0 && !slices.ContainsFunc(e.Attempts, func(a provider.Attempt) bool {
		return provider.ClassOf(a.Err) != provider.ClassNotFound && provider.ClassOf(a.Err) != provider.ClassForbidden
	})
}

// unlimited is the limit of an attempt: the gate limits the request itself, so that the
// wait for a slot does not count as silence of an endpoint.
const unlimited = math.MaxInt64 / 4

// Run looks for each distinct image once, many of them at the same time, and returns the
// results in the order of items. Registries that answer 429 or 5xx are asked again after
// some time; those that answer 5xx to everything only for the first images. The error is one of cfg, or that of ctx: when ctx ends, Run ends, and the
// items without an answer have its error.
func Run(ctx context.Context, cfg Config, items []Item) ([]Result, error) {
	if cfg.Head == nil || cfg.Rules == nil {
		return nil, errors.New("check: Head and Rules are required")
	}
	if cfg.PerRegistry < 0 || cfg.Request < 0 {
		return nil, errors.New("check: PerRegistry and Request must not be negative")
	}
	g := newGates(cfg.Head, cmp.Or(cfg.PerRegistry, 16), cmp.Or(cfg.Request, 30*time.Second))
	finder, err := chain.NewFinder(g, func() *policy.Rules { return cfg.Rules }, chain.FinderConfig{
		MirrorsConfig: chain.MirrorsConfig{Attempt: unlimited, Retries: -1, Observer: cfg.Observer}, MirrorsOnly: !cfg.Sources,
	})
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(items))
	same := make(map[imageref.Ref][]int)
	queues := make(map[string][]imageref.Ref) // by the registry that is asked first
	for i, item := range items {
		results[i].Item = item
		ref := item.Image.Normalize()
		if same[ref] == nil {
			first := firstOf(cfg.Rules, ref)
			queues[first] = append(queues[first], ref)
		}
		same[ref] = append(same[ref], i)
	}
	var mu sync.Mutex // for results and Done
	find := finder.Find
	if cfg.All {
		find = finder.FindAll
	}
	ask := func(ref imageref.Ref) {
		found, err := find(ctx, provider.Request{
			Image: items[same[ref][0]].Image, Rules: cfg.Rules, Credentials: cfg.Credentials,
		})
		at := endpoints(cfg.Rules, ref, found, err)
		mu.Lock()
		defer mu.Unlock()
		for _, i := range same[ref] {
			results[i].Found, results[i].Err, results[i].At = found, err, slices.Clone(at)
			if cfg.Done != nil {
				cfg.Done(results[i])
			}
		}
	}
	work(queues, g.size, ask)
	return results, ctx.Err()
}

// work calls do for everything in queues, which are by registry. Each registry has a queue
// of its own, so that a slow one does not delay others, and as many goroutines as it may
// get requests.
func work[T any](queues map[string][]T, size int, do func(T)) {
	var wg sync.WaitGroup
	for _, queue := range queues {
		var next atomic.Int64
		for range min(size, len(queue)) {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(queue)); i = next.Add(1) - 1 {
					do(queue[i])
				}
			})
		}
	}
	wg.Wait()
}

// firstOf returns the registry that is asked first for ref; "" for none.
func firstOf(rules *policy.Rules, ref imageref.Ref) string {
	cands, err := rules.Candidates(ref)
	if err != nil || len(cands) == 0 {
		return ""
	}
	return cands[0].Ref.Registry()
}
