package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// StoreConfig configures [Store].
type StoreConfig struct {
	// Carry is that of [CacheConfig].
	Carry func(caller, work context.Context) context.Context
	// MaxBytes bounds the content held, by estimate; 64 MiB if zero, nothing is
	// held if negative. Proofs have an eighth of it on top.
	MaxBytes int64
	// ProofTTL is how long a credential that read a manifest may see its content
	// without asking again; 10 min if zero.
	ProofTTL time.Duration
	// Limit ends the reading of one release, whoever waits for it; 10 min if zero.
	// Reading that nobody waits for ends at once.
	Limit time.Duration
	// Notes remembers proofs for the next process; nil is none. They are worth
	// something where the base keeps content on disk too, see [provider.Restorer].
	Notes Notes
}

// Store holds verified releases by the digest of their manifest, and serves them
// to those who have proved that they may see them. The proof is to have read the
// manifest, byte for byte, with the credential that the request has for that
// repository; it counts for this credential, repository and digest, for ProofTTL.
// So a further tenant, or a further mirror, costs one small request, and none ever
// reads what another's pull secret paid for. (Who can produce the bytes of a manifest,
// at any endpoint that the rules name, counts as one who may read what it names: the
// manifest is the secret, not its digest.)
//
// Tags are asked for each time, and digests when their proof has expired: whether
// they are as they were, where the registry can answer that, so that the answer is one
// without a body. Only who has read the bytes before, with
// the same credential at the same place, is proved by such an answer.
//
// Where the provider below keeps what it reads ([provider.Restorer]), content that is
// no longer held is read from there, on a proof as good as any other. With Notes,
// proofs outlive the process, by the clock on the wall and no longer than ProofTTL.
//
// What has to be read is read once, for all who ask the same endpoint at the same
// time, and independently of each of them. If that fails with one caller's
// credential, those with another try theirs.
//
// The provider below must be a [provider.Opener], as package provider/registry's is.
// If it is not, [New] fails.
//
// It stands directly on the base, below Mirrors, since proofs are per endpoint.
func Store(cfg StoreConfig) Layer {
	cfg.MaxBytes = or(cfg.MaxBytes, 64<<20)
	cfg.ProofTTL = or(cfg.ProofTTL, 10*time.Minute)
	cfg.Limit = or(cfg.Limit, 10*time.Minute)
	return layer("store", nil, func(o Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			opener, err := provider.As[provider.Opener](next)
			if err != nil {
				return nil, fmt.Errorf("needs a provider that opens manifests alone: %w", err)
			}
			s := &store{StoreConfig: cfg, next: opener, kept: keptBy(next), observer: o}
			s.content.max, s.proofs.max = cfg.MaxBytes, cfg.MaxBytes/8
			s.flights.carry, s.flights.limit = cfg.Carry, cfg.Limit
			s.flights.panicked = func(ctx context.Context, k readKey, err *PanicError) {
				if o != nil {
					o.Observe(ctx, Event{Kind: Panicked, Image: k.image, Ref: k.image, Err: err})
				}
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
	proofs   bounded[proofKey, proof]
	flights  flights[readKey, readRelease]
}

// contentKey names content: the manifest that describes it, and the platform that
// led there from an index, which the release states.
type contentKey struct {
	digest   string
	platform provider.Platform
}

// readKey is content read from one endpoint, or from what is kept, which is no image.
// Reading from another is not shared: an endpoint that hangs must not hold up those who
// have a better one, least of all the same caller's next attempt. Nor is reading under
// other rules: they may forbid where the endpoint sends one on to.
type readKey struct {
	contentKey
	image    imageref.Ref // without a tag
	insecure bool
	rules    string
	own      string // of those who do not take another credential's failure for theirs: which one; else ""
}

// readRelease is what came of reading with one credential.
type readRelease struct {
	*provider.Release
	credential string
}

func (s *store) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	pk := proofKeyOf(&req)
	p, proved := s.proof(&pk)
	var held *provider.Release
	if proved {
		held = s.find(ctx, &req, p.of)
	}
	known := ""
	if held != nil {
		if pk.tag == "" && s.fresh(p) {
			answeredFromMemory(ctx)
			return s.held(ctx, &req, held), nil
		}
		known = p.named
	}
	asked := time.Now()
	opened, err := s.next.Open(ctx, req, known)
	switch {
	case err != nil:
		if denied(nil, err) {
			s.disprove(pk)
		}
		return nil, err
	case opened == nil: // it is as it was
		s.prove(pk, p.of, p.named, asked)
		return s.held(ctx, &req, held), nil
	}
	return s.opened(ctx, &req, pk, opened, asked)
}

// opened goes on with a manifest that has been read.
func (s *store) opened(ctx context.Context, req *provider.Request, pk proofKey, opened provider.Opened, asked time.Time) (*provider.Release, error) {
	of := contentKey{opened.Digest(), opened.Platform()}
	if pk.digest != "" && of.platform.IsZero() && of.digest != pk.digest {
		return nil, mismatch(req, of.digest)
	}
	s.prove(pk, of, opened.Named(), asked)
	if r, ok := s.content.get(&of); ok {
		return s.held(ctx, req, r), nil
	}
	if s.observer != nil {
		s.observer.Observe(ctx, Event{Kind: StoreMiss, Image: req.Image, Ref: req.Image, Rules: rulesVersion(req)})
	}
	r, err := s.read(ctx, req, of, opened)
	if err != nil {
		return nil, err
	}
	return serve(req, r), nil
}

// read gets the rest of an opened release, in one flight with all who opened the
// same at the same endpoint.
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
	l := s.flights.do(ctx, k, load)
	if !l.led && !l.left && l.val.credential != mine.ID() && concernsCredential(l.err) {
		k.own = "credential " + mine.ID() // also anonymous; it has not been tried
		l = s.flights.do(ctx, k, load)
	}
	return l.val.Release, l.err
}

// concernsCredential reports whether another credential may fare better than the one
// that got err: registries say that there is nothing to those who may not see it, and
// count requests by account.
func concernsCredential(err error) bool {
	switch provider.ClassOf(err) {
	case provider.ClassUnauthorized, provider.ClassNotFound, provider.ClassThrottled:
		return true
	}
	return false
}

func (s *store) held(ctx context.Context, req *provider.Request, r *provider.Release) *provider.Release {
	if s.observer != nil {
		s.observer.Observe(ctx, Event{Kind: StoreHit, Image: req.Image, Ref: req.Image, Rules: rulesVersion(req)})
	}
	return serve(req, r)
}

// serve is held content as the answer to req.
func serve(req *provider.Request, r *provider.Release) *provider.Release {
	return r.WithAnswer(provider.Answer{Image: req.Image, PulledFrom: req.Image})
}

func mismatch(req *provider.Request, got string) error {
	return &provider.Error{
		Op: "reading the release", Ref: req.Image, Class: provider.ClassDigest,
		Err: fmt.Errorf("%w: it is %s", provider.ErrDigest, got),
	}
}
