package chain_test

import (
	"errors"
	"io"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// A manifest as it is comes from the first endpoint that has it, in one request, and its
// blobs from the same one.
func TestContents(t *testing.T) {
	img := smallRelease(1)
	index := testpayload.Index(false, img)
	s := newSite(t, index)
	contents, err := chain.Contents(s.registry, always(s.rules), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := contents.Content(t.Context(), s.request(s.digest))
	if err != nil {
		t.Fatal(err)
	}
	if n, m := s.mirror.Count(), s.source.Count(); n != 1 || m != 0 || c.PulledFrom().Registry() != s.mirror.Host() {
		t.Errorf("%d and %d requests, from %s; want 1, 0 and the mirror", n, m, c.PulledFrom())
	}
	if p := c.Platforms(); len(p) != 1 || p[0].Digest != img.Digest {
		t.Errorf("platforms %v", p)
	}
	s.mirror.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Status(404))
	req := s.request(s.digest)
	if req.Image, err = req.Image.WithDigest(img.Digest); err != nil {
		t.Fatal(err)
	}
	if c, err = contents.Content(t.Context(), req); err != nil || c.PulledFrom().Registry() != s.source.Host() {
		t.Fatalf("%v, %v; want the source", c, err)
	}
	top := img.Top()
	r, err := c.Blob(t.Context(), top.Digest, top.Size, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != top.Size {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestContentsRefuse(t *testing.T) {
	s := newSite(t, smallRelease(1))
	if _, err := chain.Contents(nil, always(s.rules), chain.MirrorsConfig{}); err == nil {
		t.Error("no base is no error")
	}
	if _, err := chain.Contents(s.registry, nil, chain.MirrorsConfig{}); err == nil {
		t.Error("no rules are no error")
	}
	contents, err := chain.Contents(s.registry, always(nil), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := contents.Content(t.Context(), s.request(s.digest)); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("without rules: %v", err)
	}
	if _, err := contents.Content(t.Context(), s.request(imageref.Ref{})); !errors.Is(err, provider.ErrInvalidRequest) {
		t.Errorf("without an image: %v", err)
	}
	if n := s.mirror.Count() + s.source.Count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}
