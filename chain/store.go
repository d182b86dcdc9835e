package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// StoreConfig configures [Store].
type StoreConfig struct {
	// Carry is that of [CacheConfig].
	Carry func(caller, work context.Context) context.Context
	// MaxBytes bounds the content that is held, by estimate; 64 MiB if zero. If it is
	// negative, nothing is held. Access grants have an eighth of it on top.
	MaxBytes int64
	// GrantTTL is how long an access grant is valid without asking the endpoint; 10 min
	// if zero.
	GrantTTL time.Duration
	// Limit bounds the reading of one release, whoever waits for it; 10 min if zero.
	// When the last caller leaves, the reading is cancelled at once.
	Limit time.Duration
	// State stores access grants for the next process; nil stores none. It is useful
	// where the base also keeps content on disk, see [provider.Restorer].
	State StateStore
}

// Store returns the layer "store". It holds verified releases by the digest of their
// manifest, and gives them only to requests that have an access grant. So a second
// tenant, or a second mirror, costs one small request. A tenant cannot read what only the
// pull secret of another tenant gives access to.
//
// A request gets an access grant by reading the manifest with its own credential. The
// grant is valid for this credential, repository and digest, for GrantTTL. (To know a
// digest is not enough, but one endpoint is: if it sends the manifest, the credential may
// read what the manifest names, wherever Store has it from.)
//
// A lookup by tag asks the endpoint each time, and so does a lookup by digest without a
// valid grant. If the credential has read the same manifest at the same place before,
// the request asks only whether the reference still names it, see [provider.Opener]:
// the answer then has no body. A denial revokes the grant.
//
// Content that is no longer held is read from disk where the provider below keeps it
// ([provider.Restorer]). With State, access grants outlive the process. They expire by
// the wall clock, after GrantTTL.
//
// Requests that ask the same endpoint for the same content at the same time share one
// reading. It does not depend on the context of any caller. If the credential of the first
// caller is refused, callers with another credential try theirs.
//
// The provider below must be a [provider.Opener], as that of package provider/registry
// is. If it is not, [New] fails.
//
// Store belongs directly on the base, below Mirrors, since grants are per endpoint.
func Store(cfg StoreConfig) Layer {
	cfg.MaxBytes = or(cfg.MaxBytes, 64<<20)
	cfg.GrantTTL = or(cfg.GrantTTL, 10*time.Minute)
	cfg.Limit = or(cfg.Limit, 10*time.Minute)
	return layer("store", nil, func(o Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			opener, err := provider.As[provider.Opener](next)
			if err != nil {
				return nil, fmt.Errorf("needs a provider that opens manifests alone: %w", err)
			}
			s := &store{StoreConfig: cfg, next: opener, kept: keptBy(next), observer: o}
			s.content.max = cfg.MaxBytes
			s.grants.ttl, s.grants.state, s.grants.stored.max = cfg.GrantTTL, cfg.State, cfg.MaxBytes/8
			s.flights.Carry, s.flights.Limit = cfg.Carry, cfg.Limit
			s.flights.Panicked = func(ctx context.Context, k readKey, value any, stack []byte) error {
				err := newPanicError(value, stack)
				if o != nil {
					o.Observe(ctx, Event{Kind: Panicked, Image: k.image, Ref: k.image, Err: err})
				}
				return err
			}
			return s, nil
		}
	})
}

type store struct {
	StoreConfig
	next     provider.Opener
	kept     kept
	observer Observer
	content  bounded[contentKey, *provider.Release]
	grants   grants
	flights  flight.Group[readKey, readRelease]
}

// readKey identifies content that is read from one endpoint, or from disk, where image
// is zero. Reading from different endpoints is not shared: an endpoint that hangs must
// not hold up callers that ask a better one, such as the next attempt of the same
// lookup. Reading under different rules is not shared either: some rules may forbid a
// host that the endpoint redirects to.
type readKey struct {
	contentKey
	image    imageref.Ref // without a tag
	insecure bool
	rules    string
	own      string // set for a caller that tries its own credential, after another's failed
}

// readRelease is the outcome of reading with one credential.
type readRelease struct {
	*provider.Release
	credential string
}

func (s *store) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	k := grantKeyOf(&req)
	g, granted := s.grants.get(&k)
	var stored *provider.Release
	if granted {
		stored = s.find(ctx, &req, g.of)
	}
	known := ""
	if stored != nil {
		if k.tag == "" && s.grants.valid(g) {
			failover.AnsweredFromMemory(ctx)
			return s.answer(ctx, &req, stored, g.named, nil), nil
		}
		known = g.named
	}
	asked := time.Now()
	opened, err := s.next.Open(ctx, req, known)
	switch {
	case err != nil:
		if denied(nil, err) {
			s.grants.revoke(&k)
		}
		return nil, err
	case opened == nil: // the reference still names the known digest
		s.grants.add(k, g.of, g.named, asked)
		return s.answer(ctx, &req, stored, g.named, nil), nil
	}
	return s.opened(ctx, &req, k, opened, asked)
}

// opened continues a lookup whose manifest has been read.
func (s *store) opened(ctx context.Context, req *provider.Request, k grantKey, opened provider.Opened, asked time.Time) (*provider.Release, error) {
	of := contentKey{opened.Digest(), opened.Platform()}
	if k.digest != "" && of.platform.IsZero() && of.digest != k.digest {
		return nil, mismatch(req, of.digest)
	}
	s.grants.add(k, of, opened.Named(), asked)
	if r, ok := s.content.get(&of); ok {
		return s.answer(ctx, req, r, opened.Named(), opened.IndexPlatforms()), nil
	}
	if s.observer != nil {
		s.observer.Observe(ctx, Event{Kind: StoreMiss, Image: req.Image, Ref: req.Image, Rules: rulesVersion(req)})
	}
	r, err := s.read(ctx, req, of, opened)
	if err != nil {
		return nil, err
	}
	return answerFrom(req, r, opened.Named(), opened.IndexPlatforms()), nil
}

// read reads the rest of an opened release, in one flight with all callers that opened
// the same content at the same endpoint.
func (s *store) read(ctx context.Context, req *provider.Request, of contentKey, opened provider.Opened) (*provider.Release, error) {
	k := readKey{contentKey: of, insecure: req.Insecure, rules: rulesVersion(req)}
	var err error
	if k.image, err = req.Image.WithDigest(of.digest); err != nil {
		return nil, fmt.Errorf("store: digest of the manifest of %s: %w", req.Image, err)
	}
	mine, _ := req.Credentials.For(req.Image)
	load := func(ctx context.Context) (readRelease, error) {
		by := readRelease{credential: mine.ID()}
		if r, ok := s.content.get(&of); ok {
			by.Release = r
			return by, nil
		}
		r, err := opened.Release(ctx)
		if err != nil {
			return by, err
		}
		if r.Digest() != of.digest {
			return by, mismatch(req, r.Digest())
		}
		s.content.put(of, r, entryOverhead+sizeHeld(r))
		by.Release = r
		return by, nil
	}
	res := s.flights.Do(ctx, k, load)
	if !res.Leader && !res.Abandoned && res.Value.credential != mine.ID() && dependsOnCredential(res.Err) {
		k.own = "credential " + mine.ID() // not empty for an anonymous caller either
		res = s.flights.Do(ctx, k, load)
	}
	return res.Value.Release, res.Err
}

// dependsOnCredential reports whether another credential may succeed where one got err.
// Registries answer "not found" to those who may not see an image, and count requests
// per account.
func dependsOnCredential(err error) bool {
	switch provider.ClassOf(err) {
	case provider.ClassUnauthorized, provider.ClassNotFound, provider.ClassThrottled:
		return true
	}
	return false
}

// find returns content that is held, or kept on disk. Content on disk is read once for
// all callers. It returns nil if there is none.
func (s *store) find(ctx context.Context, req *provider.Request, of contentKey) *provider.Release {
	if r, ok := s.content.get(&of); ok {
		return r
	}
	if s.kept.by == nil {
		return nil
	}
	res := s.flights.Do(ctx, readKey{contentKey: of}, func(ctx context.Context) (readRelease, error) {
		if r, ok := s.content.get(&of); ok {
			return readRelease{Release: r}, nil
		}
		r, err := s.kept.restore(ctx, *req, of)
		if err == nil {
			s.content.put(of, r, entryOverhead+sizeHeld(r))
		}
		return readRelease{Release: r}, err
	})
	if res.Err != nil {
		return nil
	}
	return res.Value.Release
}

// answer answers req with content that is held.
func (s *store) answer(ctx context.Context, req *provider.Request, r *provider.Release, named string, index []provider.Platform) *provider.Release {
	if s.observer != nil {
		s.observer.Observe(ctx, Event{Kind: StoreHit, Image: req.Image, Ref: req.Image, Rules: rulesVersion(req)})
	}
	return answerFrom(req, r, named, index)
}

// answerFrom returns held content as the answer to req, which names the digest named, ""
// for unknown. index is what that has entries for, where it was read for this answer. The
// content may have been read through another index, of which nothing is said then.
func answerFrom(req *provider.Request, r *provider.Release, named string, index []provider.Platform) *provider.Release {
	answer := provider.Answer{Image: req.Image, PulledFrom: req.Image}
	if named != "" && named != r.Digest() {
		answer.Index = r.Answer().Index
		if index != nil || answer.Index == nil || answer.Index.Digest != named {
			answer.Index = &provider.Index{Digest: named, Platforms: index}
		}
	}
	return r.WithAnswer(answer)
}

// Unwrap returns the provider below. See [provider.As].
func (s *store) Unwrap() provider.ReleaseProvider { return s.next }

// Restore returns content that is held, or kept below.
func (s *store) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	of := contentKey{digest, platform}
	if r, ok := s.content.get(&of); ok {
		return answerFrom(&req, r, "", nil), nil
	}
	return s.kept.restore(ctx, req, of)
}
