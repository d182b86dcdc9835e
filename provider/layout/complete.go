package layout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Complete finds out whether images are there with all that belongs to them. It hashes
// each blob once, whichever images share it. It is for concurrent use, by callers whose
// contexts end together.
type Complete struct {
	store *Store
	bytes atomic.Int64

	mu    sync.Mutex
	blobs map[string]func() error
}

var _ provider.HeadProvider = (*Complete)(nil)

// Complete returns a check of the store. It remembers what it has hashed.
func (s *Store) Complete() *Complete {
	return &Complete{store: s, blobs: make(map[string]func() error)}
}

// Bytes returns how much has been hashed so far.
func (c *Complete) Bytes() int64 { return c.bytes.Load() }

// Head reads and hashes the manifest that req names, its config and all its layers. Of an
// index it does so for each manifest that is there; at least one has to be, and that for
// req.Platform if req has one. The error says what is not there, or is something else: it
// is of class [provider.ClassDigest] if any content is another one than it should be, and
// of [provider.ClassNotFound] if something is missing and nothing else is wrong.
func (c *Complete) Head(ctx context.Context, req provider.Request) (string, error) {
	if err := req.Validate(); err != nil {
		return "", err
	}
	digest, err := c.store.digestOf(req.Image)
	if err != nil {
		return "", located(req.Image, "", err)
	}
	d, err := c.store.document(ctx, digest)
	if err != nil {
		return "", located(req.Image, "reading the manifest", err)
	}
	if err := c.parts(ctx, d, req.Platform); err != nil {
		return "", located(req.Image, "", err)
	}
	return digest, nil
}

// parts hashes what belongs to a document.
func (c *Complete) parts(ctx context.Context, d *document, p provider.Platform) error {
	if !d.isIndex() {
		return c.manifest(ctx, d)
	}
	wanted := -1
	if !p.IsZero() {
		if wanted = p.Choose(d.platforms()); wanted < 0 {
			return fail(provider.ClassNotFound, fmt.Errorf("the index has nothing for %s", p))
		}
	}
	there := 0
	for i, m := range d.Manifests {
		child, err := c.store.document(ctx, m.Digest)
		switch {
		case provider.ClassOf(err) == provider.ClassNotFound && i != wanted:
			continue // mirroring tools leave out what was not asked for
		case err != nil:
			return err
		case child.isIndex():
			return fail(provider.ClassMalformed, fmt.Errorf("%s is an index in an index, which is not read", m.Digest))
		}
		there++
		if err := c.manifest(ctx, child); err != nil {
			return err
		}
	}
	if there == 0 {
		return fail(provider.ClassNotFound, fmt.Errorf("the index %s is there, and none of the manifests that it lists", d.digest))
	}
	return nil
}

// maxFaults is how many faults of one image are told.
const maxFaults = 3

func (c *Complete) manifest(ctx context.Context, d *document) error {
	var faults []error
	for i, b := range append(slices.Clip(slices.Clone(d.Layers)), *d.Config) {
		if err := c.blob(ctx, b); err != nil {
			what := "the config"
			if i < len(d.Layers) {
				what = fmt.Sprintf("layer %d of %d", i+1, len(d.Layers))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			faults = append(faults, &provider.Error{Class: provider.ClassOf(err), Err: fmt.Errorf("%s: %w", what, err)})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	// The worst decides: what is merely missing can be copied again.
	class := provider.ClassNotFound
	var words []string
	for _, err := range faults {
		if k := provider.ClassOf(err); k != provider.ClassNotFound && class != provider.ClassDigest {
			class = k
		}
		words = append(words, err.Error())
	}
	if n := len(words) - maxFaults; n > 0 {
		words = append(words[:maxFaults], fmt.Sprintf("and %d more", n))
	}
	return fail(class, errors.New(strings.Join(words, "; ")))
}

// blob hashes a blob, once.
func (c *Complete) blob(ctx context.Context, d descriptor) error {
	key := fmt.Sprint(d.Digest, d.Size)
	c.mu.Lock()
	once := c.blobs[key]
	if once == nil {
		once = sync.OnceValue(func() error { return c.hash(ctx, d) })
		c.blobs[key] = once
	}
	c.mu.Unlock()
	return once()
}

func (c *Complete) hash(ctx context.Context, d descriptor) error {
	f, err := c.store.open(d.Digest)
	if err != nil {
		return err
	}
	defer f.close()
	v, err := verify(ctx, f, d.Digest, d.Size)
	if err != nil {
		return err
	}
	v.read = &c.bytes
	return v.verify()
}
