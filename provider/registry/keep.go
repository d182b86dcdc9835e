package registry

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Blobs keeps content by digest. Content larger than 4 MiB is not given to it.
// What it returns is verified once more by the caller, and a wrong answer counts
// as none. It is safe for concurrent use. It reports no failures: what it cannot
// keep is read again.
type Blobs interface {
	// Get returns the content of a digest, "sha256:...". Nobody modifies it
	// afterwards.
	Get(digest string) (content []byte, ok bool)
	// Put keeps verified content. It does not modify it.
	Put(digest string, content []byte)
}

// stored returns what is kept of a layer, nil if it is not, or is something else.
func (s source) stored(d v1.Descriptor) []byte {
	if s.blobs == nil || d.Size > keepLayer || !isLayer(d) {
		return nil
	}
	b, ok := s.blobs.Get(d.Digest.String())
	if !ok {
		return nil
	}
	v, err := newVerifier(bytes.NewReader(b), d.Digest, d.Size)
	if err != nil || v.verify() != nil {
		return nil
	}
	return b
}

// layers returns where o's layers may be read. What is kept of them may be used only where
// the manifest is kept as well, since that is kept last: somebody read all of it once,
// with these bytes. Any other manifest only names layers, which whoever writes one can
// do without having ever seen them; it has to get them from its own registry.
func (o *opened) layers() source {
	s := o.source
	if s.blobs == nil || s.alone { // alone: the manifest is what is kept
		return s
	}
	if b, ok := s.blobs.Get(o.manifest.digest); !ok || !bytes.Equal(b, o.manifest.body) {
		s.blobs = nil
	}
	return s
}

// keep keeps what o was read from, if that is all there.
func (o *opened) keep(read layersRead) {
	if o.source.blobs == nil || o.source.alone || read.lost || o.manifest.body == nil {
		return
	}
	for _, d := range slices.SortedFunc(maps.Keys(read.raw), func(a, b v1.Hash) int { return strings.Compare(a.Hex, b.Hex) }) {
		o.source.blobs.Put(d.String(), read.raw[d])
	}
	// The manifest last: with it, the rest is there.
	o.source.blobs.Put(o.manifest.digest, o.manifest.body)
}

// Restore returns the release whose manifest has that digest, from what Config.Blobs
// keeps. No registry is asked; PulledFrom is req.Image, whoever it came from.
func (p *Provider) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	if err := p.check(&req); err != nil {
		return nil, err
	}
	s := p.sourceOf(req)
	s.blobs, s.alone = p.cfg.Blobs, true
	m, err := s.storedManifest(digest)
	if err != nil {
		return nil, located(s.ref, "reading what is kept of the manifest", err)
	}
	m.platform = platform
	return (&opened{p, req, s, m}).Release(ctx)
}

func (s source) storedManifest(digest string) (*manifest, error) {
	gone := fail(provider.ClassNotFound, errors.New(digest+" is not kept"))
	if s.blobs == nil {
		return nil, gone
	}
	body, ok := s.blobs.Get(digest)
	if !ok {
		return nil, gone
	}
	if _, err := verifyManifest(body, digest, ""); err != nil || !strings.Contains(digest, ":") {
		return nil, gone
	}
	doc, err := parseDocument(body, "")
	switch {
	case err != nil:
		return nil, undecodable(err)
	case doc.isIndex():
		return nil, fail(provider.ClassMalformed, errors.New("an index, and not a manifest"))
	}
	return doc.manifest(verified{digest, body}, digest, provider.Platform{}), nil
}
