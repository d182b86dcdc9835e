package chain

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Images does for any image what [Mirrors] does for releases: base is asked for the
// candidates that the rules name, in order. current returns the rules in force and is
// called once per image. To read the image of a component, ask for its Canonical
// reference, see [provider.Component].
//
// An image keeps its candidates. If the config or the files cannot be read where the
// manifest came from, the other candidates are asked for the same manifest, by its
// digest, and the reading goes on there. PulledFrom then names that endpoint. The
// content is the same, whichever endpoint serves it.
//
// An invalid request, or an invalid pattern for Files, is an error of
// [provider.ClassInvalid], and no registry is asked. It is an error of Images itself if
// base or current is nil.
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
	cands, err := pin(&req, p.current)
	if err != nil {
		return nil, err
	}
	a, err := run(ctx, p.engine, failover.Query[provider.Image]{
		Request: req, Ask: p.ask(req.Image), Limit: p.attempt, ByDigest: req.Image.Digest() != "",
	}, cands)
	if err != nil {
		return nil, err
	}
	i := &image{images: p, req: req, digest: a.Value.Digest(), cands: cands}
	i.at.Store(&location{a.Value, a.From})
	return i, nil
}

// ask returns what asks one endpoint for an image, and has the answer judged. What is read
// elsewhere later has the digest that was judged here.
func (p *images) ask(image imageref.Ref) func(context.Context, provider.Request) (provider.Image, error) {
	return func(ctx context.Context, req provider.Request) (provider.Image, error) {
		img, err := p.base.Image(ctx, req)
		if err == nil && req.Verifier != nil {
			_, err = p.verdict(ctx, &req, provider.Served{Image: image, Digest: img.Digest(), Named: img.Digest()})
		}
		if err != nil {
			return nil, err
		}
		return img, nil
	}
}

// image is an image that moves to another endpoint when the one that it is read from
// fails.
type image struct {
	*images
	req    provider.Request // as the caller asked
	digest string           // of the manifest, wherever it is read
	cands  []policy.Candidate
	at     atomic.Pointer[location]
}

// location is the image at one endpoint.
type location struct {
	provider.Image
	from policy.Candidate
}

func (i *image) Digest() string           { return i.digest }
func (i *image) PulledFrom() imageref.Ref { return i.at.Load().from.Ref }

func (i *image) Config(ctx context.Context) ([]byte, error) {
	return read(ctx, i, i.attempt, provider.Image.Config)
}

func (i *image) Files(ctx context.Context, patterns ...string) (fs.FS, error) {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return nil, err
	}
	return read(ctx, i, i.files, func(img provider.Image, ctx context.Context) (fs.FS, error) {
		return img.Files(ctx, patterns...)
	})
}

// readFrom is something that was read, and the image that it was read from.
type readFrom[T any] struct {
	value T
	image provider.Image
}

// read reads from the endpoint where the image is. If that fails, it reads from the
// other candidates, by digest.
func read[T any](ctx context.Context, i *image, limit time.Duration, from func(provider.Image, context.Context) (T, error)) (T, error) {
	start := i.at.Load()
	rest := slices.DeleteFunc(slices.Clone(i.cands), func(c policy.Candidate) bool { return c.Ref == start.from.Ref })
	order := append([]policy.Candidate{start.from}, rest...)

	ask := func(ctx context.Context, req provider.Request) (f readFrom[T], err error) {
		if f.image = start.Image; req.Image != start.from.Ref {
			if f.image, err = i.reopen(ctx, req); err != nil {
				return f, err
			}
		}
		f.value, err = from(f.image, ctx)
		return f, err
	}
	a, err := run(ctx, i.engine, failover.Query[readFrom[T]]{Request: i.req, Ask: ask, Limit: limit, ByDigest: true}, order)
	if err == nil && a.From.Ref != start.from.Ref {
		i.at.CompareAndSwap(start, &location{a.Value.image, a.From})
	}
	return a.Value.value, err
}

// reopen reads the manifest again, at another endpoint. It must have the same digest.
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
