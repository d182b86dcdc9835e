package soak_test

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// call looks things up, one after another, until stop is closed.
func (s *soak) call(r *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		st := s.stacks[r.IntN(len(s.stacks))]
		tn := s.site.tenants[r.IntN(len(s.site.tenants))]
		req := provider.Request{Credentials: s.credentials(tn, r), Platform: platforms[0]}
		ctx, cancel := timeLimit(r)
		switch n := r.IntN(20); n {
		case 0, 1, 2:
			s.image(ctx, st, s.anyTarget(r), req)
		case 3, 4:
			s.probe(ctx, st, s.anyTarget(r), req)
		default:
			t := &s.site.targets[r.IntN(len(s.site.targets))]
			if n < 12 { // what many ask for at once
				t = &s.site.targets[r.IntN(3)]
				req.Credentials = s.site.tenants[0].credentials.latest()
			} else if r.IntN(8) == 0 {
				req.Platform = platforms[1]
			}
			if r.IntN(2) == 0 {
				req.Rules = s.resolver.Current()
			}
			s.lookup(ctx, st, t, req, r.IntN(4) == 0)
		}
		cancel()
	}
}

func (s *soak) anyTarget(r *rand.Rand) *target {
	if r.IntN(2) == 0 {
		return &s.site.apps[r.IntN(len(s.site.apps))]
	}
	return &s.site.targets[r.IntN(len(s.site.targets))]
}

// credentials returns a tenant's, or now and then those that it had before.
func (s *soak) credentials(t *tenant, r *rand.Rand) provider.Credentials {
	if r.IntN(8) == 0 {
		old := t.credentials.during(span{from: time.Now().Add(-5 * time.Second)})
		return old[r.IntN(len(old))]
	}
	return t.credentials.latest()
}

// patience returns the context of a caller: in a hurry, about to give up, or with time.
func timeLimit(r *rand.Rand) (context.Context, context.CancelFunc) {
	switch r.IntN(6) {
	case 0:
		return context.WithTimeout(context.Background(), upTo(r, 20*time.Millisecond))
	case 1:
		return context.WithTimeout(context.Background(), upTo(r, time.Second))
	case 2:
		ctx, cancel := context.WithCancel(context.Background())
		t := time.AfterFunc(upTo(r, 200*time.Millisecond), cancel)
		return ctx, func() { t.Stop(); cancel() }
	}
	return context.WithTimeout(context.Background(), 10*time.Second)
}

// lookup asks for a release. Its answer and error have been judged.
func (s *soak) lookup(ctx context.Context, st *stack, t *target, req provider.Request, deep bool) (*provider.Release, error) {
	req.Image = t.ref
	before := s.resolver.Current()
	if !s.known(before.Version()) {
		s.fail("rules are in force that no policy file ever held")
	}
	from := time.Now()
	r, err := st.chain.Lookup(ctx, req)
	during := span{from, time.Now()}
	if req.Rules == nil && s.resolver.Current() == before {
		req.Rules = before
	}
	s.lookups.Add(1)
	if err == nil && r.Stale() {
		s.count("stale")
	}
	s.judgeLookup(ctx, st, t, req, r, err, during, deep)
	return r, err
}

// image asks for an image, and reads it.
func (s *soak) image(ctx context.Context, st *stack, t *target, req provider.Request) error {
	req.Image, req.Rules = t.ref, s.resolver.Current()
	from := time.Now()
	judged := func(err error) error {
		s.failures[provider.ClassOf(err)].Add(1)
		if ctx.Err() == nil {
			s.judgeError("an image", req, err, span{from, time.Now()})
		}
		return err
	}
	s.lookups.Add(1)
	img, err := st.images.Image(ctx, req)
	if err != nil {
		return judged(err)
	}
	s.judgeFrom("an image", req, img.PulledFrom(), span{from, time.Now()})
	c := s.site.contents[img.Digest()]
	switch {
	case c == nil:
		s.fail("the image %s is %s, which nobody made", t.ref, img.Digest())
		return nil
	case !t.moving && img.Digest() != t.want[req.Platform.String()]:
		s.fail("the image %s is %s", t.ref, s.site.describe(img.Digest()))
	}
	config, err := img.Config(ctx)
	if err != nil {
		return judged(err)
	}
	if !bytes.Equal(config, c.config) {
		s.fail("the config of %s is another", t.ref)
	}
	if c.file != "" {
		files, err := img.Files(ctx, appFile)
		if err != nil {
			return judged(err)
		}
		if text, err := fs.ReadFile(files, appFile); err != nil || string(text) != c.file {
			s.fail("%s in %s is %q, %v; want %q", appFile, t.ref, text, err, c.file)
		}
	}
	s.judgeFrom("an image", req, img.PulledFrom(), span{from, time.Now()})
	s.count("images read")
	return nil
}

// probe asks where an image is.
func (s *soak) probe(ctx context.Context, st *stack, t *target, req provider.Request) error {
	req.Image, req.Rules = t.ref, s.resolver.Current()
	from := time.Now()
	found, err := st.finder.Find(ctx, req)
	during := span{from, time.Now()}
	s.lookups.Add(1)
	if err != nil {
		s.failures[provider.ClassOf(err)].Add(1)
		if ctx.Err() == nil {
			s.judgeError("a probe", req, err, during)
		}
		return err
	}
	s.judgeFrom("a probe", req, found.From, during)
	for _, a := range found.Attempts {
		s.judgeAttempt("a probe", req, a, during)
	}
	if !t.moving && found.Digest != t.named {
		s.fail("a probe says that %s is %s", t.ref, s.site.describe(found.Digest))
	}
	s.count("probes answered")
	return nil
}
