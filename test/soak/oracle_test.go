package soak_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// judgeFlight judges what came of really looking something up: who answered was asked
// for it by the rules and could be read by that tenant, what it said was so there, and
// those that failed had a reason to.
func (s *soak) judgeFlight(ctx context.Context, req provider.Request, r *provider.Release, err error, during span) {
	if err != nil {
		if ctx.Err() == nil {
			s.judgeError("a lookup", req, err, during)
		}
		return
	}
	if r.Stale() {
		s.fail("%s is stale without the cache", req.Image)
	}
	s.judgeFrom("a lookup", req, r.PulledFrom(), during.earlier(proofTTL))
	for a := range r.Attempts() {
		s.judgeAttempt("a lookup", req, a, during)
	}
	if e := s.site.at(r.PulledFrom()); e != nil && s.site.byRef[req.Image].moving {
		if had := e.tags[r.PulledFrom().Repository()].during(during); !slices.Contains(had, r.Digest()) {
			s.fail("%s is %s, which %s never was while it was asked", req.Image, s.site.describe(r.Digest()), e.name)
		}
	}
}

// judgeFrom judges where an image came from.
func (s *soak) judgeFrom(what string, req provider.Request, from imageref.Ref, during span) {
	if !isCandidate(&req, from) {
		s.fail("%s: %s came from %s, which the rules do not name for it", what, req.Image, from)
	}
	e := s.site.at(from)
	if e == nil {
		s.fail("%s: %s came from %s, which is none of ours", what, req.Image, from)
		return
	}
	c, _ := req.Credentials.For(from)
	if ever, _ := e.mayRead(c, from.Repository(), during); !ever {
		user, _, _ := c.Basic()
		s.fail("%s: %q was given %s from %s, where it may not read it", what, user, req.Image, e.name)
	}
}

func isCandidate(req *provider.Request, from imageref.Ref) bool {
	cands, err := req.Rules.Candidates(req.Image)
	return err == nil && slices.ContainsFunc(cands, func(c policy.Candidate) bool { return c.Ref == from })
}

// judgeError judges the error of something that was not given up.
func (s *soak) judgeError(what string, req provider.Request, err error, during span) {
	e, ok := errors.AsType[*chain.Error](err)
	if !ok || len(e.Attempts) == 0 {
		s.fail("%s of %s failed with nobody asked: %v", what, req.Image, err)
		return
	}
	for _, a := range e.Attempts {
		s.judgeAttempt(what, req, a, during)
	}
}

// judgeAttempt looks for the reason of a failed attempt.
func (s *soak) judgeAttempt(what string, req provider.Request, a provider.Attempt, during span) {
	class := provider.ClassOf(a.Err)
	if a.Err == nil || class == provider.ClassCanceled || slow(a.Err) {
		return
	}
	if e := s.site.at(a.Ref); e == nil || !e.explains(class, s.site.byRef[req.Image], req, a.Ref, during.earlier(lag)) {
		s.fail("%s of %s failed for no reason at %s: %s: %v", what, req.Image, s.site.nameOf(a.Ref), class, a.Err)
	}
}

// slow reports whether err may be a slow machine's: a time limit, be it that of the
// ping by which net/http finds out that an HTTP/2 connection is dead.
func slow(err error) bool {
	return provider.ClassOf(err) == provider.ClassTimeout || strings.Contains(err.Error(), "http2: client connection lost")
}

// explains reports whether the endpoint had a reason to fail like that.
func (e *endpoint) explains(class provider.Class, t *target, req provider.Request, at imageref.Ref, during span) bool {
	switch class {
	case provider.ClassUnauthorized:
		c, _ := req.Credentials.For(at)
		if _, always := e.mayRead(c, at.Repository(), during); !always {
			return true
		}
		// A change of accounts makes tokens void, one that was just had included.
		if e.cfg.Auth.Scheme == testregistry.Bearer && len(e.users.during(during)) > 1 {
			return true
		}
	case provider.ClassNotFound:
		if e.lacksAny(t) {
			return true
		}
	case provider.ClassForbidden:
		return !isCandidate(&req, at)
	}
	return slices.ContainsFunc(e.faults.during(during), func(f fault) bool { return slices.Contains(f.classes, class) })
}

func (e *endpoint) lacksAny(t *target) bool {
	for _, digest := range t.want {
		if e.lacks[digest] {
			return true
		}
	}
	return false
}

// judgeLookup judges what a caller was given, and returns whether the tag that it
// asked for has moved on. rules is nil where those in force changed meanwhile.
func (s *soak) judgeLookup(ctx context.Context, st *stack, t *target, req provider.Request, r *provider.Release, err error, during span, deep bool) {
	if err != nil {
		s.failures[provider.ClassOf(err)].Add(1)
		if ctx.Err() == nil && req.Rules != nil && !st.gauge.hasFailed(flightOf(&req), during.from.Add(-negativeTTL-lag)) {
			s.fail("%s: %s failed, though no lookup of it did: %v", st.name, t.ref, err)
		}
		return
	}
	c := s.site.contents[r.Digest()]
	switch {
	case c == nil:
		s.fail("%s: %s is %s, which nobody made", st.name, t.ref, r.Digest())
		return
	case !t.moving && r.Digest() != t.want[req.Platform.String()]:
		s.fail("%s: %s is %s", st.name, t.ref, s.site.describe(r.Digest()))
	case t.moving && !slices.ContainsFunc(s.site.moves, func(i testpayload.Image) bool { return i.Digest == r.Digest() }):
		s.fail("%s: %s is %s, which it never was", st.name, t.ref, s.site.describe(r.Digest()))
	case r.Image() != t.ref:
		s.fail("%s: asked for %s, got %s", st.name, t.ref, r.Image())
	case r.Version() != c.version:
		s.fail("%s: %s is %q, want %q", st.name, t.ref, r.Version(), c.version)
	}
	if req.Rules == nil {
		return
	}
	k := flightOf(&req)
	switch {
	case r.Stale() && !s.given.has(k, r.Digest()):
		s.fail("%s: an old answer for %s, %s, that this tenant was never given", st.name, t.ref, s.site.describe(r.Digest()))
	case !r.Stale() && !st.gauge.has(k, r.Digest(), req.Image.Digest() == "", during.from.Add(-tagTTL-lag)):
		s.fail("%s: %s is %s, which no lookup for this tenant has found", st.name, t.ref, s.site.describe(r.Digest()))
	case !isCandidate(&req, r.PulledFrom()):
		s.fail("%s: %s came from %s, which the rules do not name", st.name, t.ref, r.PulledFrom())
	}
	if deep {
		s.judgeContent(st, t, req.Rules, r, c)
	}
}

// judgeContent compares a release with what it was made of, and what was made of that.
func (s *soak) judgeContent(st *stack, t *target, rules *policy.Rules, r *provider.Release, c *content) {
	if !bytes.Equal(r.BootImages(), c.bootImages) {
		s.fail("%s: other boot images in %s", st.name, t.ref)
	}
	n := 0
	for have := range r.Components() {
		n++
		if have.Canonical.Digest() != c.components[have.Name] || have.Image != have.Canonical {
			s.fail("%s: component %s of %s is %s, handed on as %s", st.name, have.Name, t.ref, have.Canonical, have.Image)
		}
		cands, err := rules.Candidates(have.Canonical)
		if err != nil {
			s.fail("%s: candidates of %s: %v", st.name, have.Canonical, err)
		}
		if !slices.EqualFunc(cands, have.PullFrom, func(c policy.Candidate, r imageref.Ref) bool { return c.Ref == r }) {
			s.fail("%s: component %s of %s is pulled from %v, by the rules from %v", st.name, have.Name, t.ref, have.PullFrom, cands)
		}
	}
	if n != len(c.components) {
		s.fail("%s: %s has %d components, want %d", st.name, t.ref, n, len(c.components))
	}
}
