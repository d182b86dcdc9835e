package check_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const source, first, second = "source.test", "first.test", "second.test"

// answers is a HeadProvider that records who was asked when, and how many at once.
type answers struct {
	takes  time.Duration
	hangs  string                                // registry that never answers
	answer func(ref imageref.Ref, nth int) error // nth request to that registry, from 1

	mu      sync.Mutex
	now     map[string]int
	most    map[string]int
	asked   map[string]int
	byImage map[imageref.Ref]int
	when    []time.Time
}

func (a *answers) Head(ctx context.Context, req provider.Request) (string, error) {
	host := req.Image.Registry()
	a.mu.Lock()
	if a.now == nil {
		a.now, a.most, a.asked, a.byImage = map[string]int{}, map[string]int{}, map[string]int{}, map[imageref.Ref]int{}
	}
	a.now[host]++
	a.asked[host]++
	a.byImage[req.Image]++
	a.most[host] = max(a.most[host], a.now[host])
	a.when = append(a.when, time.Now())
	nth := a.asked[host]
	a.mu.Unlock()
	defer func() { a.mu.Lock(); a.now[host]--; a.mu.Unlock() }()
	takes := a.takes
	if host == a.hangs {
		takes = time.Hour
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if a.answer != nil {
		if err := a.answer(req.Image, nth); err != nil {
			return "", err
		}
	}
	return req.Image.Digest(), nil
}

func items(n int) []check.Item {
	var all []check.Item
	for i := range n {
		ref := imageref.MustParse(fmt.Sprintf("%s/ocp/art@sha256:%064x", source, i))
		all = append(all, check.Item{Name: fmt.Sprintf("component-%03d", i), Image: ref})
	}
	return all
}

func rules(t testing.TB, mirrors ...string) *policy.Rules {
	t.Helper()
	r := policy.Rule{Source: source + "/ocp", Kind: policy.KindMirror, Pull: policy.PullDigest}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m + "/mirror"})
	}
	p := policy.Policy{}
	if len(mirrors) > 0 {
		p.Rules = []policy.Rule{r}
	}
	rs, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func failing(class provider.Class) error {
	return &provider.Error{Class: class, Err: errors.New("no")}
}

// P10: one request for each image, as many at once as a registry may get, and no
// time lost between them.
func TestEveryImageOnceWithinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{takes: 20 * time.Millisecond}
		var reported []string
		start := time.Now()
		results, err := check.Run(t.Context(), check.Config{
			Head: a, Rules: rules(t, first), PerRegistry: 16, Done: func(r check.Result) { reported = append(reported, r.Name) },
		}, items(146))
		if err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(start), 10*20*time.Millisecond; took != want {
			t.Errorf("took %s, want %s: 146 in turns of 16", took, want)
		}
		if a.asked[first] != 146 || a.most[first] != 16 || len(a.asked) != 1 {
			t.Errorf("asked %v, at once at most %v", a.asked, a.most)
		}
		for i, r := range results {
			if r.Err != nil || r.Name != fmt.Sprintf("component-%03d", i) || r.Found.From.Registry() != first || r.Found.Digest != r.Image.Digest() {
				t.Fatalf("%d: %+v", i, r)
			}
		}
		slices.Sort(reported)
		if len(reported) != 146 || len(slices.Compact(reported)) != 146 {
			t.Errorf("told of %d results", len(reported))
		}
	})
}

// Components that share an image cost one request.
func TestSameImageIsAskedForOnce(t *testing.T) {
	a := new(answers)
	all := items(2)
	all = append(all, check.Item{Name: "twin", Image: all[0].Image})
	results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, all)
	if err != nil || a.asked[first] != 2 || len(results) != 3 || results[2].Name != "twin" || results[2].Found.Digest != all[0].Image.Digest() {
		t.Errorf("%v, asked %v: %+v", err, a.asked, results)
	}
}

func TestMissing(t *testing.T) {
	lacks := func(hosts ...string) func(imageref.Ref, int) error {
		return func(ref imageref.Ref, _ int) error {
			if slices.Contains(hosts, ref.Registry()) && strings.HasSuffix(ref.Digest(), "1") {
				return failing(provider.ClassNotFound)
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		mirrors  []string
		answer   func(imageref.Ref, int) error
		sources  bool
		missing  bool
		from     string
		attempts int
	}{
		"the second has it":                   {[]string{first, second}, lacks(first), false, false, second, 2},
		"no mirror has it":                    {[]string{first, second}, lacks(first, second), false, true, "", 2},
		"the source is asked if that is said": {[]string{first, second}, lacks(first, second), true, false, source, 3},
		"nobody has it":                       {[]string{first}, lacks(first, source), true, true, "", 2},
		"no mirror is named":                  {nil, lacks(), false, false, source, 1},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{answer: c.answer}
			results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, c.mirrors...), Sources: c.sources}, items(2))
			if err != nil {
				t.Fatal(err)
			}
			r := results[1]
			attempts := r.Found.Attempts
			if e, ok := errors.AsType[*chain.Error](r.Err); ok {
				attempts = e.Attempts
			}
			if r.Missing() != c.missing || c.missing == (r.Err == nil) || r.Found.From.Registry() != c.from || len(attempts) != c.attempts {
				t.Errorf("missing %t, from %s, %d attempts: %v", r.Missing(), r.Found.From, len(attempts), r.Err)
			}
			if len(c.mirrors) > 0 && !c.sources && a.asked[source] > 0 {
				t.Errorf("the source was asked %d times", a.asked[source])
			}
		})
	}
}

// An endpoint that is away says nothing of the image.
func TestUnreachableIsNotMissing(t *testing.T) {
	a := &answers{answer: func(imageref.Ref, int) error { return failing(provider.ClassUnreachable) }}
	results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, items(1))
	if err != nil || results[0].Err == nil || results[0].Missing() {
		t.Errorf("%v: %+v", err, results[0])
	}
}

// A registry that answers 429 is left alone as long as it asks, gets fewer requests
// at once after that, and loses no image by it.
func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 7 * time.Second
		a := &answers{takes: 9 * time.Millisecond, answer: func(_ imageref.Ref, nth int) error {
			if nth == 1 || nth == 2 { // one burst
				return &provider.Error{Class: provider.ClassThrottled, RetryAfter: wait}
			}
			time.Sleep(time.Millisecond) // refusals are known before the next one enters
			return nil
		}}
		start := time.Now()
		results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first), PerRegistry: 4}, items(40))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if a.asked[first] != 42 {
			t.Errorf("%d requests, want 40 and the 2 that were refused", a.asked[first])
		}
		var before int
		for _, at := range a.when {
			if at.Sub(start) < wait {
				before++
			}
		}
		if before != 4 {
			t.Errorf("%d requests in the time that was asked for, want the 4 that were under way", before)
		}
		// The burst costs one place of 4, which comes back after 6 good answers: of the 38
		// that are left 6 go in threes, the rest in fours.
		if took, want := time.Since(start), 9*time.Millisecond+wait+(2+8)*10*time.Millisecond; took != want {
			t.Errorf("took %s, want %s", took, want)
		}
	})
}

// A burst of refusals does not make a registry slow for good.
func TestPlacesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{takes: 20 * time.Millisecond, answer: func(_ imageref.Ref, nth int) error {
			if nth <= 16 {
				return &provider.Error{Class: provider.ClassThrottled, RetryAfter: time.Second}
			}
			return nil
		}}
		start := time.Now()
		if _, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, items(1600)); err != nil {
			t.Fatal(err)
		}
		if took, most := time.Since(start), time.Second+(1+100+2)*20*time.Millisecond; took > most {
			t.Errorf("took %s, want at most %s", took, most)
		}
	})
}

// One that never answers anything else is given up soon, for all images, and the next
// one asked; where there is none, the images could not be asked for.
func TestTooManyRequestsForGood(t *testing.T) {
	for _, mirrors := range [][]string{{first, second}, {first}} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{takes: 20 * time.Millisecond, answer: func(ref imageref.Ref, _ int) error {
				if ref.Registry() == first {
					return failing(provider.ClassThrottled)
				}
				return nil
			}}
			start := time.Now()
			results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, mirrors...)}, items(146))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if len(mirrors) == 2 && (r.Err != nil || r.Found.From.Registry() != second) {
					t.Errorf("%+v", r)
				}
				if len(mirrors) == 1 && (provider.ClassOf(r.Err) != provider.ClassThrottled || r.Missing()) {
					t.Errorf("%+v", r)
				}
			}
			if took := time.Since(start); took > 3*time.Minute || a.asked[first] > 8*16 {
				t.Errorf("took %s and %d requests", took, a.asked[first])
			}
		})
	}
}

// A wait that would help nobody is not waited for.
func TestTooLongAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{answer: func(imageref.Ref, int) error {
			return &provider.Error{Class: provider.ClassThrottled, RetryAfter: 10 * time.Minute}
		}}
		start := time.Now()
		results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first), PerRegistry: 2}, items(50))
		if err != nil || provider.ClassOf(results[49].Err) != provider.ClassThrottled || time.Since(start) > 0 || a.asked[first] > 2 {
			t.Errorf("%v: %d requests, %s: %+v", err, a.asked[first], time.Since(start), results[49])
		}
	})
}

// An error of the registry's own is no last word.
func TestServerErrorsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{answer: func(_ imageref.Ref, nth int) error {
			if nth <= 3 {
				return failing(provider.ClassServer)
			}
			return nil
		}}
		results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, items(1))
		if err != nil || results[0].Err != nil || a.asked[first] != 4 {
			t.Errorf("%v: %d requests: %+v", err, a.asked[first], results[0])
		}
	})
}

// A mirror that fails at everything is asked for each image, as nodes do, but only the first
// images wait for further tries, or for the end of the time of a request.
func TestFailingMirror(t *testing.T) {
	// Those of the first 16, and of 2 that may begin before the third of them is in vain.
	const images, patient, takes = 190, 16 + 2, 20 * time.Millisecond
	for name, c := range map[string]struct {
		class    provider.Class
		hangs    bool
		requests int           // at most
		took     time.Duration // at most
	}{
		"503":         {provider.ClassServer, false, images + 3*patient, 2*1400*time.Millisecond + 20*takes},
		"unreachable": {provider.ClassUnreachable, false, images, 12 * takes},
		"silent":      {provider.ClassTimeout, true, images, 2*30*time.Second + 2*3*time.Second},
	} {
		for _, mirrors := range [][]string{{first}, {first, second}} {
			t.Run(fmt.Sprint(name, len(mirrors)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &answers{takes: takes, answer: func(ref imageref.Ref, _ int) error {
						if ref.Registry() == second {
							return nil
						}
						return failing(c.class)
					}}
					if c.hangs {
						a.hangs = first
					}
					start := time.Now()
					results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, mirrors...), All: true}, items(images))
					if err != nil {
						t.Fatal(err)
					}
					if took, n := time.Since(start), a.asked[first]; took > c.took || n > c.requests {
						t.Errorf("took %s and %d requests, want at most %s and %d", took, n, c.took, c.requests)
					}
					for _, r := range results {
						if e := r.At[0]; e.State() != check.Failed || provider.ClassOf(e.Err) != c.class || a.byImage[e.Ref] == 0 {
							t.Fatalf("%s at %s: %v after %d requests", r.Name, e.Ref, e.Err, a.byImage[e.Ref])
						}
						if found := r.Found.From.Registry() == second; found != (len(mirrors) == 2) {
							t.Fatalf("%+v", r)
						}
					}
				})
			})
		}
	}
}

// The tries come back with the first good answer.
func TestMirrorThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *answers
		a = &answers{takes: 20 * time.Millisecond, answer: func(ref imageref.Ref, nth int) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			// Later it fails at every 16th image, the first time that it is asked for.
			if nth <= 100 || a.byImage[ref] == 1 && strings.HasSuffix(ref.Digest(), "1") {
				return failing(provider.ClassServer)
			}
			return nil
		}}
		results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, items(190))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results[100:] {
			if r.Err != nil {
				t.Errorf("%d: %v", i, r.Err)
			}
		}
	})
}

// Whoever may have the image and cannot be asked may have it.
func TestOneDeniesAndOneIsAway(t *testing.T) {
	a := &answers{answer: func(ref imageref.Ref, _ int) error {
		if ref.Registry() == first {
			return failing(provider.ClassNotFound)
		}
		return failing(provider.ClassUnreachable)
	}}
	results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first, second)}, items(1))
	if err != nil || results[0].Err == nil || results[0].Missing() {
		t.Errorf("%v: %+v", err, results[0])
	}
}

// However many images there are, there are no more goroutines than requests under way.
func TestGoroutines(t *testing.T) {
	before, most := runtime.NumGoroutine(), 0
	a := &answers{answer: func(_ imageref.Ref, nth int) error {
		if nth == 10_000 {
			most = runtime.NumGoroutine()
		}
		return nil
	}}
	if _, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first)}, items(20_000)); err != nil {
		t.Fatal(err)
	}
	if more := most - before; more > 2*16 {
		t.Errorf("%d goroutines more", more)
	}
}

// A wait for the registry's turn is nobody's silence; an endpoint's silence is.
func TestHangingEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{takes: time.Hour, answer: nil}
		results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first), PerRegistry: 1, Request: time.Minute}, items(3))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if provider.ClassOf(r.Err) != provider.ClassTimeout || r.Missing() {
				t.Errorf("%v", r.Err)
			}
		}
		if a.most[first] != 1 {
			t.Errorf("%d at once", a.most[first])
		}
	})
}

func TestEndOfContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		a := &answers{takes: 20 * time.Millisecond}
		results, err := check.Run(ctx, check.Config{Head: a, Rules: rules(t, first), PerRegistry: 1}, items(10))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		var found, ended int
		for _, r := range results {
			switch {
			case r.Err == nil:
				found++
			case errors.Is(r.Err, context.DeadlineExceeded) && !r.Missing():
				ended++
			}
		}
		if found != 2 || ended != 8 {
			t.Errorf("%d found, %d ended: %+v", found, ended, results)
		}
	})
}

func TestConfig(t *testing.T) {
	for _, cfg := range []check.Config{{}, {Head: new(answers)}, {Rules: rules(t)}, {Head: new(answers), Rules: rules(t), PerRegistry: -1}, {Head: new(answers), Rules: rules(t), Request: -1}} {
		if _, err := check.Run(t.Context(), cfg, nil); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
