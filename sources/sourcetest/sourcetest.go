// Package sourcetest is the conformance suite for implementations of
// [policy.OverrideSource], wrappers included.
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
//			path := write(t, good)
//			return sourcetest.Fixture{
//				Source: open(t, path),
//				Change: func(t *testing.T) { rewrite(t, path, other) },
//				Break:  func(t *testing.T) { rewrite(t, path, "{") },
//			}
//		})
//	}
//
// It is test equipment and must not be linked into a program.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Fixture is one source under test and the means to move what is behind it.
type Fixture struct {
	// Source says at least one rule with a mirror, an insecure or a blocked scope.
	Source policy.OverrideSource
	// Change makes the source say something else, validly. Nil for a source that
	// cannot change.
	Change func(t *testing.T)
	// Break makes what is behind the source invalid, so that only editing mends
	// it. Nil for a source that cannot be.
	Break func(t *testing.T)
	// Away makes what is behind the source unreachable for now. Nil for a source
	// that is always there.
	Away func(t *testing.T)
	// Shared names functions whose goroutines may outlive a watch because they are
	// not the source's own: those of a pool of connections, say.
	Shared []string
}

// patience bounds the waits for what must happen. It is no measure of speed.
const timeLimit = 30 * time.Second

// Test checks a source's promises. fresh makes a new fixture for each of them; it
// registers its own cleaning up with t.
func Test(t *testing.T, fresh func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Fixture)
	}{
		{"Name", testName},
		{"CompleteSet", testCompleteSet},
		{"CallersOwn", testCallersOwn},
		{"Concurrent", testConcurrent},
		{"EndedContext", testEndedContext},
		{"Change", testChange},
		{"Invalid", testInvalid},
		{"Away", testAway},
		{"Watch", testWatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fresh(t)
			if f.Source == nil {
				t.Fatal("the fixture has no source")
			}
			c.test(t, f)
		})
	}
}

func load(t *testing.T, src policy.OverrideSource) policy.Policy {
	t.Helper()
	p, err := src.Load(t.Context())
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return p
}

func testName(t *testing.T, f Fixture) {
	name := f.Source.Name()
	if name == "" {
		t.Fatal("Name is empty")
	}
	load(t, f.Source)
	if f.Change != nil {
		f.Change(t)
		load(t, f.Source)
	}
	if second := f.Source.Name(); second != name {
		t.Errorf("Name was %q and is now %q", name, second)
	}
}

// Every Load is the whole, never what changed since the last.
func testCompleteSet(t *testing.T, f Fixture) {
	first := load(t, f.Source)
	if len(first.Rules)+len(first.Insecure)+len(first.Blocked) == 0 {
		t.Fatal("the fixture's source says nothing")
	}
	for i, r := range first.Rules {
		if r.Source == "" || r.Origin == "" {
			t.Errorf("rule %d lacks source or origin: %+v", i, r)
		}
	}
	for _, s := range append(append([]policy.Scope{}, first.Insecure...), first.Blocked...) {
		if s.Name == "" || s.Origin == "" {
			t.Errorf("a scope lacks name or origin: %+v", s)
		}
	}
	for range 3 {
		if second := load(t, f.Source); !reflect.DeepEqual(first, second) {
			t.Fatalf("nothing changed, and Load differs:\n%+v\n%+v", first, second)
		}
	}
}

// What Load returns is the caller's to change.
func testCallersOwn(t *testing.T, f Fixture) {
	mine := load(t, f.Source)
	untouched := fmt.Sprintf("%+v", mine) // text shares nothing with anybody
	for i := range mine.Rules {
		for j := range mine.Rules[i].Mirrors {
			mine.Rules[i].Mirrors[j].Location = "overwritten"
		}
		from := mine.Rules[i].Provenance
		for _, origins := range append([][]string{from.Origins}, from.Mirrors...) {
			for j := range origins {
				origins[j] = "overwritten"
			}
		}
		mine.Rules[i] = policy.Rule{Source: "overwritten"}
	}
	for _, scopes := range [][]policy.Scope{mine.Insecure, mine.Blocked, mine.Allowed, mine.Search} {
		for i := range scopes {
			scopes[i].Name = "overwritten"
		}
	}
	for i := range mine.Skipped {
		mine.Skipped[i].Kind = "overwritten"
	}
	for i := range mine.Warnings {
		for j := range mine.Warnings[i].Origins {
			mine.Warnings[i].Origins[j] = "overwritten"
		}
		mine.Warnings[i].Message = "overwritten"
	}
	if later := fmt.Sprintf("%+v", load(t, f.Source)); later != untouched {
		t.Errorf("a caller's change to its policy shows in a later Load:\n%s\n%s", untouched, later)
	}
}

// Load may be called by many at once. Only the race detector sees all of it.
func testConcurrent(t *testing.T, f Fixture) {
	want := load(t, f.Source)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 8 {
				got, err := f.Source.Load(t.Context())
				if err != nil {
					t.Errorf("Load: %v", err)
				} else if !reflect.DeepEqual(got, want) {
					t.Errorf("Load beside others differs:\n%+v\n%+v", want, got)
				}
				if f.Source.Name() == "" {
					t.Error("Name is empty")
				}
			}
		})
	}
	wg.Wait()
}

func testEndedContext(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Source.Load(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context: got %v, want context.Canceled", err)
	}
	if _, wrong := errors.AsType[*policy.InvalidPolicyError](err); wrong {
		t.Errorf("Load with an ended context blames the policy: %v", err)
	}
	load(t, f.Source) // and nothing of that stays
}

func testChange(t *testing.T, f Fixture) {
	if f.Change == nil {
		return
	}
	before := load(t, f.Source)
	f.Change(t)
	after := load(t, f.Source)
	if reflect.DeepEqual(before, after) {
		t.Errorf("Load says the same after a change: %+v", after)
	}
}

func testInvalid(t *testing.T, f Fixture) {
	if f.Break == nil {
		return
	}
	f.Break(t)
	p, err := f.Source.Load(t.Context())
	wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
	if !ok {
		t.Fatalf("got %v, want an InvalidPolicyError", err)
	}
	if wrong.Origin == "" {
		t.Errorf("the error does not say where: %v", err)
	}
	if !reflect.DeepEqual(p, policy.Policy{}) {
		t.Errorf("a failed Load returns half a policy: %+v", p)
	}
}

func testAway(t *testing.T, f Fixture) {
	if f.Away == nil {
		return
	}
	load(t, f.Source)
	f.Away(t)
	p, err := f.Source.Load(t.Context())
	if err == nil {
		t.Fatalf("Load of a source that is away returns %+v", p)
	}
	if _, wrong := errors.AsType[*policy.InvalidPolicyError](err); wrong {
		t.Errorf("that the source is away is called an invalid policy: %v", err)
	}
	if !reflect.DeepEqual(p, policy.Policy{}) {
		t.Errorf("a failed Load returns half a policy: %+v", p)
	}
}

// A watcher signals once it watches, so that a change since the last Load is not
// lost, and after each change; it ends with its context and leaves nothing behind.
func testWatch(t *testing.T, f Fixture) {
	w, ok := f.Source.(policy.Watcher)
	if !ok {
		return
	}
	others := []goleak.Option{goleak.IgnoreCurrent()}
	for _, name := range f.Shared {
		others = append(others, goleak.IgnoreAnyFunction(name))
	}
	defer goleak.VerifyNone(t, others...)
	before := load(t, w)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	signals := make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- w.Watch(ctx, func() {
			select {
			case signals <- struct{}{}:
			default:
			}
		})
	}()
	limit := time.After(timeLimit)
	wait := func(what string) {
		t.Helper()
		select {
		case <-signals:
		case err := <-ended:
			t.Fatalf("Watch ended (%v) before %s", err, what)
		case <-limit:
			t.Fatalf("no signal for %s", what)
		}
	}

	wait("the start of watching")
	for _, step := range []struct {
		what string
		do   func(*testing.T)
		seen func(policy.Policy, error) bool
	}{
		{"a change", f.Change, func(p policy.Policy, err error) bool { return err == nil && !reflect.DeepEqual(before, p) }},
		{"a broken policy", f.Break, func(_ policy.Policy, err error) bool { return err != nil }},
	} {
		if step.do == nil {
			continue
		}
		select { // one that is left over from before says nothing about this step
		case <-signals:
		default:
		}
		step.do(t)
		for { // signals may come too often, and before the change is complete
			wait(step.what)
			if step.seen(w.Load(ctx)) {
				break
			}
		}
	}

	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Watch returned %v, want the context's error", err)
		}
	case <-limit:
		t.Fatal("Watch does not end with its context")
	}
}
