package provider

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// packed is a reference in little memory. A release has hundreds, in few
// repositories, and those of one component have one digest: 16 bytes each
// instead of 150.
type packed struct {
	base   *imageref.Ref // some reference of the same repository, or the reference itself
	digest *sha256sum    // nil where base is the reference itself
}

type sha256sum [32]byte

const sha256Prefix = "sha256:"

// unpacker unpacks references. Those in a row mostly share their digest, so its
// text is made once.
type unpacker struct {
	digest *sha256sum
	text   string
}

func (u *unpacker) ref(p packed) imageref.Ref {
	switch {
	case p.base == nil:
		return imageref.Ref{}
	case p.digest == nil:
		return *p.base
	}
	if p.digest != u.digest {
		u.digest, u.text = p.digest, p.digest.String()
	}
	r, err := p.base.WithDigest(u.text)
	if err != nil { // both parts are from references
		panic(fmt.Errorf("provider: unpacking a reference of %s: %w", p.base.Name(), err))
	}
	return r
}

func (s *sha256sum) String() string {
	b := make([]byte, 0, len(sha256Prefix)+2*len(s))
	return string(hex.AppendEncode(append(b, sha256Prefix...), s[:]))
}

// packer packs references, each repository and each digest once.
type packer struct {
	bases   map[string]*imageref.Ref
	digests map[sha256sum]*sha256sum
	slab    []packed // for lists, cut from the front
}

func newPacker(like *content) *packer {
	p := &packer{bases: make(map[string]*imageref.Ref), digests: make(map[sha256sum]*sha256sum)}
	if like == nil {
		return p
	}
	for i := range like.components {
		if c := like.components[i].canonical; c.digest != nil {
			p.bases[c.base.Name()] = c.base
			p.digests[*c.digest] = c.digest
		}
	}
	return p
}

func (p *packer) pack(r imageref.Ref) packed {
	if r.IsZero() {
		return packed{}
	}
	digest, ok := p.digest(r)
	if !ok {
		return packed{base: &r}
	}
	base := p.bases[r.Name()]
	if base == nil {
		base = new(r)
		p.bases[strings.Clone(r.Name())] = base
	}
	return packed{base, digest}
}

// digest returns the digest of r, if r is only a repository and a digest.
func (p *packer) digest(r imageref.Ref) (*sha256sum, bool) {
	text, ok := strings.CutPrefix(r.Digest(), sha256Prefix)
	if !ok || r.Tag() != "" || len(text) != 2*len(sha256sum{}) {
		return nil, false
	}
	var sum sha256sum
	if _, err := hex.Decode(sum[:], []byte(text)); err != nil || sum.String() != r.Digest() {
		return nil, false
	}
	known := p.digests[sum]
	if known == nil {
		known = &sum
		p.digests[sum] = known
	}
	return known, true
}

// list packs several, in memory that grow allotted.
func (p *packer) list(refs []imageref.Ref) []packed {
	if len(refs) == 0 {
		return nil
	}
	out := p.slab[:len(refs):len(refs)]
	p.slab = p.slab[len(refs):]
	for i, r := range refs {
		out[i] = p.pack(r)
	}
	return out
}
