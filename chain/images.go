package chain

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Images is [Mirrors] for any image: base is asked for the candidates that the
// current rules name, in order. Rules are pinned per image as [New] does it. Of a
// component of a release it is asked for Canonical, see [provider.Component].
//
// An image that was found keeps its candidates. If a later read of its config or
// files fails where the manifest came from, the others are asked for the same
// manifest, by its digest, and the read goes on there; PulledFrom follows. So the
// content is the same, whichever endpoint gives it.
//
// What is wrong with the request itself, or with a pattern for Files, is an error of
// [provider.ClassInvalid] and asked of nobody. A nil base or current is an error of
// Images itself.
func Images(base provider.ImageProvider, current func() *policy.Rules, cfg MirrorsConfig) (provider.ImageProvider, error) {
	if base == nil {
		return nil, errors.New("chain: no base provider")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current rules")
	}
	return &images{engine: newEngine(cfg, nil), base: base, current: current}, nil
}

type images struct {
	*engine
	base    provider.ImageProvider
	current func() *policy.Rules
}

func (p *images) Image(ctx context.Context, req provider.Request) (provider.Image, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Rules == nil {
		req.Rules = p.current()
	}
	cands, err := candidates(&req)
	if err != nil {
		return nil, err
	}
	a, err := p.open(ctx, req, p.base.Image, cands)
	if err != nil {
		return nil, err
	}
	i := &image{images: p, req: req, digest: a.value.Digest(), cands: cands}
	i.at.Store(&place{a.value, a.from})
	return i, nil
}

func (p *images) open(ctx context.Context, req provider.Request, ask ask[provider.Image], cands []policy.Candidate) (answer[provider.Image], error) {
	s := search[provider.Image]{engine: p.engine, req: req, ask: ask, limit: p.Attempt, byDigest: req.Image.Digest() != ""}
	return s.over(ctx, cands)
}

// image is an image that moves to another endpoint when the one it is read from
// fails.
type image struct {
	*images
	req    provider.Request // as the caller asked
	digest string           // of the manifest, wherever it is read
	cands  []policy.Candidate
	at     atomic.Pointer[place]
}

// place is the image as one endpoint has it.
type place struct {
	provider.Image
	from policy.Candidate
}

func (i *image) Digest() string           { return i.digest }
func (i *image) PulledFrom() imageref.Ref { return i.at.Load().from.Ref }

func (i *image) Config(ctx context.Context) ([]byte, error) {
	return read(ctx, i, i.Attempt, provider.Image.Config)
}

func (i *image) Files(ctx context.Context, patterns ...string) (fs.FS, error) {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return nil, err
	}
	return read(ctx, i, i.images.Files, func(img provider.Image, ctx context.Context) (fs.FS, error) {
		return img.Files(ctx, patterns...)
	})
}

// found is something that was read, and the image that it was read from.
type found[T any] struct {
	value T
	image provider.Image
}

// read reads from where the image is; if that fails, from the other candidates, by
// digest. Each candidate is asked at most once, beside the engine's retries.
func read[T any](ctx context.Context, i *image, limit time.Duration, from func(provider.Image, context.Context) (T, error)) (T, error) {
	start := i.at.Load()
	rest := slices.DeleteFunc(slices.Clone(i.cands), func(c policy.Candidate) bool { return c.Ref == start.from.Ref })
	order := append([]policy.Candidate{start.from}, rest...)

	s := search[found[T]]{engine: i.engine, req: i.req, limit: limit, byDigest: true}
	s.ask = func(ctx context.Context, req provider.Request) (f found[T], err error) {
		if f.image = start.Image; req.Image != start.from.Ref {
			if f.image, err = i.reopen(ctx, req); err != nil {
				return f, err
			}
		}
		f.value, err = from(f.image, ctx)
		return f, err
	}
	a, err := s.over(ctx, order)
	if err == nil && a.from.Ref != start.from.Ref {
		i.at.CompareAndSwap(start, &place{a.value.image, a.from})
	}
	return a.value.value, err
}

// reopen reads the manifest again at another endpoint. It must be the same one.
func (i *image) reopen(ctx context.Context, req provider.Request) (provider.Image, error) {
	ref, err := req.Image.WithDigest(i.digest)
	if err != nil {
		return nil, err
	}
	req.Image = ref
	img, err := i.base.Image(ctx, req)
	if err != nil {
		return nil, err
	}
	if img.Digest() != i.digest {
		return nil, &provider.Error{
			Op: "reading the manifest", Ref: ref, Class: provider.ClassDigest,
			Err: errors.New("it has " + img.Digest()),
		}
	}
	return img, nil
}
