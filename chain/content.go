package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider"
)

// contentKey identifies the content of a release: the digest of the manifest that
// describes it, and the platform that was chosen from an index, which the release states.
type contentKey struct {
	digest   string
	platform provider.Platform
}

// entryOverhead is about what an entry of a bounded map takes besides its release: the
// key, the links and an error.
const entryOverhead = 1 << 10

// sizeHeld returns what a held release counts for in bytes: its own size, and half of
// that for the views kept with it. The view that Translate makes takes a sixth of the
// release, with Live a quarter, and there are two of them while the rules change.
func sizeHeld(r *provider.Release) int64 {
	n := int64(r.Size())
	return n + n/2
}

// kept is what a provider, or one below it, keeps on disk.
type kept struct{ by provider.Restorer } // nil: nothing

func keptBy(p provider.ReleaseProvider) kept {
	r, err := provider.As[provider.Restorer](p)
	if err != nil {
		return kept{}
	}
	return kept{r}
}

// restore reads a release from what is kept. No registry is asked.
func (k kept) restore(ctx context.Context, req provider.Request, of contentKey) (*provider.Release, error) {
	if k.by == nil {
		return nil, &provider.Error{Op: "reading what is kept", Ref: req.Image, Class: provider.ClassNotFound, Err: errors.New("nothing is kept")}
	}
	release, err := k.by.Restore(ctx, req, of.digest, of.platform)
	if err == nil && release.Digest() != of.digest {
		return nil, mismatch(&req, release.Digest())
	}
	return release, err
}

func mismatch(req *provider.Request, got string) error {
	return &provider.Error{
		Op: "reading the release", Ref: req.Image, Class: provider.ClassDigest,
		Err: fmt.Errorf("%w: it is %s", provider.ErrDigest, got),
	}
}
