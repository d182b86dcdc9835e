// Package soak_test keeps the whole chain busy, against registries that fail in every
// way they can, while policies, tags and credentials change, and judges every answer.
//
// TestSoak is short and part of all tests. `make soak` lasts ten minutes, prints a line
// every ten seconds and looks for what leaks. A soak goes in rounds: faults come and go
// for a while; then all are gone, every lookup must succeed that may, and what the
// process holds must be what it held at the beginning.
//
// What happens follows from a seed, which is printed; when it happens depends on the
// machine too. SOAK=10m is how long, SOAK_SEED=1 the seed; into the folder SOAK_HEAP goes
// a heap profile after every round.
//
// Nothing here measures time: not how long a lookup takes, only that what must end ends.
package soak_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

func TestMain(m *testing.M) {
	if os.Getenv("SOAK") != "" {
		runtime.MemProfileRate = profileRate // before what is to be seen in it
	}
	goleak.VerifyTestMain(m)
}

func TestSoak(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SOAK_SEED: %v", err)
		}
	}
	if text := os.Getenv("SOAK"); text != "" {
		length, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("SOAK: %v; want a length such as 10m", err)
		}
		run(t, seed, length, 8*time.Second, true)
		return
	}
	t.Run("fixed", func(t *testing.T) { run(t, 1, 0, time.Second, false) })
	t.Run("random", func(t *testing.T) { run(t, seed, 0, time.Second, false) })
}

// soak is one run.
type soak struct {
	*journal
	site       *site
	resolver   *sources.Resolver
	policyFile string
	policies   [2][orders]policyState
	diskDir    string
	stacks     []*stack
	others     []testpayload.Image // that are served in place of what was asked for

	active   atomic.Int64 // faults
	lookups  atomic.Int64
	failures [32]atomic.Int64 // by class
	events   [64]atomic.Int64 // by kind
	samples  []sample

	switchedBefore int64 // connections to the switched source before the round
	generation     int   // of the rotating password

	mu     sync.Mutex
	counts map[string]int
	given  *marks // what a question was ever answered with
}

const (
	// callers ask at the same time.
	callers = 32
	// mostRounds bounds what a slow machine takes until everything has happened that makes a
	// soak: while policies change faster than lookups end, none is answered from the cache.
	mostRounds = 20
)

// run soaks in rounds of about that length until the time is over, at least in two, and until
// each kind of event was seen.
func run(t *testing.T, seed uint64, until, length time.Duration, long bool) {
	t.Logf("seed %d", seed)
	descriptorsBefore := firstDescriptors(t)
	end, stop := context.WithCancel(t.Context())
	defer stop()
	s := &soak{journal: newJournal(t, seed, stop), counts: map[string]int{}, given: newMarks()}
	s.diskDir, s.policyFile = filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "policies.json")
	s.site = newSite(t, s.journal)
	defer s.site.close()
	s.policies = policies(t, s.site.lines)
	for n := range 3 {
		s.others = append(s.others, testpayload.Must(testpayload.Release{Version: fmt.Sprintf("6.6.%d", n), Components: 3, Manifests: -1, BaseLayers: []int64{1000}}.Image()))
	}
	s.put(s.policies[0][0].text)
	src, err := file.Open(s.policyFile, file.Config{Settle: 25 * time.Millisecond, Poll: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if s.resolver, err = sources.NewResolver(end, sources.ResolverConfig{Poll: time.Second, Retry: 20 * time.Millisecond}, src); err != nil {
		t.Fatal(err)
	}
	var background sync.WaitGroup
	background.Go(func() {
		if err := s.resolver.Start(end); err != nil {
			s.fail("following the policies: %v", err)
		}
	})
	for _, st := range []struct {
		name  string
		cache int64
	}{{"lasting", 1 << 20}, {"restarted", 256 << 10}} {
		made, err := s.newStack(st.name, st.cache)
		if err != nil {
			t.Fatal(err)
		}
		s.stacks = append(s.stacks, made)
	}
	if long {
		background.Go(func() { s.progress(end.Done()) })
	}

	s.settle(s.policies[0][1]) // now the file is followed
	s.measure()                // before anything was asked
	s.calm(0, false)
	for n, last := 1, false; !last && end.Err() == nil; n++ {
		s.iteration(n, length, end.Done())
		_, missing := s.missing(long)
		last = n >= 2 && time.Since(s.journal.start) >= until-length && (!missing || n >= mostRounds)
		s.calm(n, long && last)
	}
	stop()
	background.Wait()
	for _, st := range s.stacks {
		if err := st.close(); err != nil {
			s.fail("closing %s: %v", st.name, err)
		}
	}
	s.site.close()
	s.await("all descriptors to be closed", func() bool { return descriptors() <= descriptorsBefore })
	s.judgeMemory()
	s.report("%d lookups; %s; %s", s.lookups.Load(), s.classes(), s.totals())
	s.judgeVariety(long)
}

// judgeVariety makes sure that this was a soak.
func (s *soak) judgeVariety(long bool) {
	if k, some := s.missing(long); some && s.journal.failures() == 0 {
		s.fail("no %s in the whole soak", k)
	}
}

// missing returns a kind of event that belongs to a soak and was not seen yet.
func (s *soak) missing(long bool) (kind chain.EventKind, some bool) {
	kinds := []chain.EventKind{chain.LookupDone, chain.AttemptDone, chain.CacheHit, chain.CacheMiss, chain.StoreHit, chain.StoreMiss}
	if long {
		kinds = append(kinds, chain.CacheStale, chain.CacheJoined, chain.RetryWaiting, chain.HedgeStarted, chain.HostSuspect, chain.HostUnhealthy, chain.HostHealthy)
	}
	for _, k := range kinds {
		if s.events[k].Load() == 0 {
			return k, true
		}
	}
	return 0, false
}

// forbidden says which rounds forbid the switched source.
func forbidden(iteration int) int { return iteration % 2 }

// round lets faults and changes come and go while callers ask.
func (s *soak) iteration(n int, length time.Duration, end <-chan struct{}) {
	stop, hush := make(chan struct{}), make(chan struct{})
	var disturbances, asking sync.WaitGroup
	random := func(what int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(n)<<16|uint64(what))) }
	for i, e := range s.site.endpoints {
		if e.name == "shut" {
			continue
		}
		disturbances.Go(func() { s.disturb(e, random(i), stop) })
	}
	states := s.policies[forbidden(n)]
	disturbances.Go(func() { s.rewrite(random(100), states, stop) })
	disturbances.Go(func() { s.moveTags(random(101), stop) })
	disturbances.Go(func() { s.rotateSecrets(random(102), stop) })
	disturbances.Go(func() { s.damage(random(103), stop) })
	for i := range callers {
		asking.Go(func() { s.call(random(1000+i), hush) })
	}
	wait(length, end)
	close(stop)
	disturbances.Wait()
	close(hush)
	asking.Wait()
}

// calm checks after a round that nothing is wrong any more, and that nothing is left of
// it. It is thorough where everybody asks for everything.
func (s *soak) calm(n int, thorough bool) {
	s.await("lookups to end that nobody waits for", func() bool {
		return s.stacks[0].gauge.flying.Load()+s.stacks[1].gauge.flying.Load() == 0
	})
	switched := s.site.byName["switched"]
	if n > 0 && forbidden(n) == 1 && switched.Main().Stats().Connections != s.switchedBefore {
		s.fail("the forbidden source had %d connections", switched.Main().Stats().Connections-s.switchedBefore)
	}
	if c := s.site.byName["shut"].Main().Stats().Connections; c != 0 {
		s.fail("the source that is always forbidden had %d connections", c)
	}
	next := forbidden(n + 1)
	s.settle(s.policies[next][n%orders])
	wait(negativeTTL, nil) // what is remembered of the faults

	s.verify(n, thorough)
	for _, e := range s.site.endpoints {
		e.ResetLog()
	}
	for _, st := range s.stacks {
		st.gauge.trim(time.Now().Add(-lag - tagTTL - negativeTTL))
	}
	s.measure()
	s.switchedBefore = switched.Main().Stats().Connections
	if err := s.restart(); err != nil {
		s.fail("restarting: %v", err)
	}
}

// restart ends one of the two processes and starts it again.
func (s *soak) restart() error {
	if err := s.stacks[1].close(); err != nil {
		return err
	}
	made, err := s.newStack(s.stacks[1].name, 256<<10)
	if err == nil {
		s.stacks[1] = made
	}
	return err
}

// verify has tenants ask now that nothing is wrong: for everything in turn, or for all.
func (s *soak) verify(n int, all bool) {
	var g sync.WaitGroup
	for i, tn := range s.site.tenants {
		g.Go(func() {
			for k := range s.site.targets {
				if all || (k+i+n)%6 == 0 {
					s.verifyLookup(s.stacks[(k/6+n)%2], &s.site.targets[k], tn)
				}
			}
			for k := range s.site.apps {
				if t := &s.site.apps[k]; all || (k+i+n)%6 == 0 {
					st, req := s.stacks[k%2], provider.Request{Credentials: tn.credentials.latest(), Platform: platforms[0]}
					s.insist("the image", t, req, func(ctx context.Context) (error, bool) { return s.image(ctx, st, t, req), true })
					s.insist("a probe for", t, req, func(ctx context.Context) (error, bool) { return s.probe(ctx, st, t, req), true })
				}
			}
		})
	}
	g.Wait()
}

func (s *soak) verifyLookup(st *stack, t *target, tn *tenant) {
	req := provider.Request{Credentials: tn.credentials.latest(), Platform: platforms[0], Rules: s.resolver.Current()}
	s.insist(st.name+":", t, req, func(ctx context.Context) (error, bool) {
		r, err := s.lookup(ctx, st, t, req, true)
		if err != nil {
			return err, true
		}
		good := !r.Stale() && (!t.moving || r.Digest() == t.line.source.tags[t.line.repo].latest())
		return nil, good || !s.mustSucceed(t, req)
	})
}

// insist asks until the answer is good. What somebody may read must be had at once:
// only a time limit, which a slow machine is reason enough for, and a tag that is
// remembered from before may be asked for again.
func (s *soak) insist(what string, t *target, req provider.Request, ask func(context.Context) (error, bool)) {
	req.Image, req.Rules = t.ref, s.resolver.Current()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err, good := ask(ctx)
		if good && (err == nil || !s.mustSucceed(t, req)) {
			return
		}
		if ctx.Err() != nil || err != nil && !mayBeSlow(err) {
			s.fail("%s %s for %s, with nothing wrong: %v", what, t.ref, s.userOf(t, req), err)
			return
		}
		wait(20*time.Millisecond, ctx.Done())
	}
}

// mayBeSlow reports whether an attempt ended as it may on a slow machine.
func mayBeSlow(err error) bool {
	e, ok := errors.AsType[*chain.Error](err)
	if !ok {
		return slow(err)
	}
	return slices.ContainsFunc(e.Attempts, func(a provider.Attempt) bool { return a.Err != nil && slow(a.Err) })
}

// userOf returns the user whose credentials the source of t is asked with.
func (s *soak) userOf(t *target, req provider.Request) string {
	c, _ := req.Credentials.For(t.ref)
	user, _, _ := c.Basic()
	return strconv.Quote(user)
}

// mustSucceed reports whether an endpoint that the rules name has what is asked for
// and lets the tenant read it.
func (s *soak) mustSucceed(t *target, req provider.Request) bool {
	req.Image = t.ref
	cands, err := req.Rules.Candidates(t.ref)
	if err != nil {
		s.fail("candidates of %s: %v", t.ref, err)
	}
	for _, c := range cands {
		e := s.site.at(c.Ref)
		if e == nil || e.lacksAny(t) {
			continue
		}
		entry, _ := req.Credentials.For(c.Ref)
		now := time.Now()
		if _, always := e.mayRead(entry, c.Ref.Repository(), span{now, now}); always {
			return true
		}
	}
	return false
}

func (s *soak) moveTags(r *rand.Rand, stop <-chan struct{}) {
	for wait(upTo(r, 800*time.Millisecond), stop) {
		l, n := s.site.lines[r.IntN(len(s.site.lines))], r.IntN(releases)
		s.journal.note("%s:%s moves to release %d", l.name, tagMoving, n)
		s.site.move(l, n)
		s.count("tags moved")
	}
}

func (s *soak) rotateSecrets(r *rand.Rand, stop <-chan struct{}) {
	for wait(upTo(r, 2*time.Second), stop) {
		s.generation++
		s.journal.note("the rotating password is number %d", s.generation%generations)
		s.site.rotate(r, s.generation)
		s.count("rotations")
	}
}

// damage flips a bit in a file of the disk cache now and then.
func (s *soak) damage(r *rand.Rand, stop <-chan struct{}) {
	for wait(upTo(r, 500*time.Millisecond), stop) {
		dir := filepath.Join(s.diskDir, "blobs")
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			continue
		}
		name := entries[r.IntN(len(entries))].Name()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		if err != nil {
			continue // gone meanwhile
		}
		var b [1]byte
		at := int64(r.IntN(200))
		if _, err = f.ReadAt(b[:], at); err == nil {
			b[0] ^= 1
			_, err = f.WriteAt(b[:], at)
		}
		if err == nil {
			s.count("files damaged")
		}
		_ = f.Close()
	}
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// nameOf returns the name of the endpoint that ref is at.
func (s *site) nameOf(ref imageref.Ref) string {
	if e := s.at(ref); e != nil {
		return e.name
	}
	return ref.Registry()
}

// describe returns the digest, and what that is.
func (s *site) describe(digest string) string {
	if c := s.contents[digest]; c != nil {
		return digest + " (" + c.version + c.file + ")"
	}
	return digest
}
