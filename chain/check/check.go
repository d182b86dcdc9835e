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
	// Prober asks one endpoint, a provider/registry Provider for example. Required.
	Prober provider.HeadProvider
	// Rules name the candidates. Required.
	Rules *policy.Rules
	// Credentials are those of every request.
	Credentials provider.Credentials
	// Sources asks the source too where no mirror has an image. Without it only
	// images that no rule names a mirror for are asked for at their source.
	Sources bool
	// PerRegistry is how many requests one registry gets at once; 16 if zero.
	PerRegistry int
	// Request limits one request; 30 s if zero.
	Request time.Duration
	// Observer, if not nil, is told of attempts and retries.
	Observer chain.Observer
	// Done, if not nil, is called with each result as it comes, from one goroutine at
	// a time.
	Done func(Result)
}

// Item is one image to ask for.
type Item struct {
	// Name is what the caller calls it: a component's name.
	Name string
	// Image is asked for through the rules: a canonical reference.
	Image imageref.Ref
}

// Result is what came of an item.
type Result struct {
	Item
	// Found says where the image is. It is zero if Err is not nil.
	Found chain.Found
	// Err is why it is not to be had: a [*chain.Error] with every attempt, as a rule.
	Err error
}

// Missing reports whether all endpoints that were asked said that they have no such
// image. A result with another error says nothing of the image: one that may have it
// could not be asked.
func (r Result) Missing() bool {
	e, ok := errors.AsType[*chain.Error](r.Err)
	return ok && len(e.Attempts) > 0 && !slices.ContainsFunc(e.Attempts, func(a provider.Attempt) bool {
		return provider.ClassOf(a.Err) != provider.ClassNotFound && provider.ClassOf(a.Err) != provider.ClassForbidden
	})
}

// unlimited is for what the gate limits itself, so that the wait for a turn counts
// as no endpoint's silence.
const unlimited = math.MaxInt64 / 4

// Run asks for each distinct image once, many at once, and returns the results in the
// order of items. Registries that answer 429 or 5xx are asked again, with waits. Its
// own error is one of cfg, or ctx's: the end of
// ctx ends it, and the items without an answer have its error.
func Run(ctx context.Context, cfg Config, items []Item) ([]Result, error) {
	if cfg.Prober == nil || cfg.Rules == nil {
		return nil, errors.New("check: Prober and Rules are required")
	}
	if cfg.PerRegistry < 0 || cfg.Request < 0 {
		return nil, errors.New("check: PerRegistry and Request must not be negative")
	}
	g := newGates(cfg.Prober, cmp.Or(cfg.PerRegistry, 16), cmp.Or(cfg.Request, 30*time.Second))
	probes, err := chain.NewFinder(g, func() *policy.Rules { return cfg.Rules }, chain.FinderConfig{
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
	ask := func(ref imageref.Ref) {
		found, err := probes.Find(ctx, provider.Request{
			Image: items[same[ref][0]].Image, Rules: cfg.Rules, Credentials: cfg.Credentials,
		})
		mu.Lock()
		defer mu.Unlock()
		for _, i := range same[ref] {
			results[i].Found, results[i].Err = found, err
			if cfg.Done != nil {
				cfg.Done(results[i])
			}
		}
	}
	// A queue for each registry, so that one that is slow holds up no other; as many
	// goroutines for it as it may get requests.
	var wg sync.WaitGroup
	for _, queue := range queues {
		var next atomic.Int64
		for range min(g.size, len(queue)) {
			wg.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(queue)); i = next.Add(1) - 1 {
					ask(queue[i])
				}
			})
		}
	}
	wg.Wait()
	return results, ctx.Err()
}

// firstOf is the registry that is asked first for ref, "" for none.
func firstOf(rules *policy.Rules, ref imageref.Ref) string {
	cands, err := rules.Candidates(ref)
	if err != nil || len(cands) == 0 {
		return ""
	}
	return cands[0].Ref.Registry()
}
