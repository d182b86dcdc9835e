package chain

import (
	"context"
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// proofKey is who may see what, where, as it was asked for.
type proofKey struct {
	credential  string // of the one entry used; "" is anonymous
	repository  string // with its registry: the endpoint
	insecure    bool
	digest, tag string            // of a manifest or an index: one of the two
	platform    provider.Platform // chosen from an index
}

// proof is what a credential has read.
type proof struct {
	of    contentKey
	named string // the digest that the reference names itself
	asked time.Time
	noted time.Time // when it was last noted
}

func proofKeyOf(req *provider.Request) proofKey {
	credential, _ := req.Credentials.For(req.Image)
	k := proofKey{
		credential: credential.ID(), repository: req.Image.Name(), insecure: req.Insecure,
		digest: req.Image.Digest(), platform: req.Platform.OrDefault(),
	}
	if k.digest == "" {
		k.tag = req.Image.Normalize().Tag()
	}
	return k
}

func (k *proofKey) note() string {
	return noteKey("proof", k.credential, k.repository, strconv.FormatBool(k.insecure), k.digest, k.tag, k.platform.String())
}

// fresh reports whether p may be used without asking. One from the future, which a
// clock that was set back makes of a note, may not.
func (s *store) fresh(p proof) bool {
	age := time.Since(p.asked)
	return age >= 0 && age < s.ProofTTL
}

// proof is the one under k, fresh or not: this process's, else a noted one.
func (s *store) proof(k *proofKey) (proof, bool) {
	p, ok := s.proofs.get(k)
	if ok || s.Notes == nil {
		return p, ok
	}
	n, ok := noteOf(s.Notes, k.note())
	if !ok || n.named == "" || k.digest != "" && n.named != k.digest {
		return p, false
	}
	p = proof{of: n.of, named: n.named, asked: n.asked, noted: n.asked}
	s.hold(*k, p)
	return p, true
}

func (s *store) prove(k proofKey, of contentKey, named string, asked time.Time) {
	s.remember(k, proof{of: of, named: named, asked: asked})
	if k.tag != "" && of.platform.IsZero() { // a tag proves its manifest, if it is one
		k.digest, k.tag = of.digest, ""
		s.remember(k, proof{of: of, named: of.digest, asked: asked})
	}
}

// remember keeps a proof, and notes it: not each time that it is renewed.
func (s *store) remember(k proofKey, p proof) {
	if s.Notes != nil {
		old, ok := s.proofs.get(&k)
		if ok && old.of == p.of && old.named == p.named && p.asked.Sub(old.noted) < s.ProofTTL/4 {
			p.noted = old.noted
		} else {
			p.noted = p.asked
			putNote(s.Notes, k.note(), note{of: p.of, named: p.named, asked: p.asked})
		}
	}
	s.hold(k, p)
}

// disprove forgets a proof: the endpoint has denied what it is of.
func (s *store) disprove(k proofKey) {
	s.proofs.drop(&k)
	if s.Notes != nil {
		s.Notes.DropNote(k.note())
	}
}

func (s *store) hold(k proofKey, p proof) { s.proofs.put(k, p, int64(512+len(k.repository))) }

// find is what is held, or else kept below and read again from there, once for all who
// want it; nil if it is neither.
func (s *store) find(ctx context.Context, req *provider.Request, of contentKey) *provider.Release {
	if r, ok := s.content.get(&of); ok {
		return r
	}
	if s.kept.by == nil {
		return nil
	}
	l := s.flights.do(ctx, readKey{contentKey: of}, func(ctx context.Context) (readRelease, error) {
		if r, ok := s.content.get(&of); ok {
			return readRelease{Release: r}, nil
		}
		r, err := s.kept.restore(ctx, *req, of)
		if err == nil {
			s.content.put(of, r, entryOverhead+sizeHeld(r))
		}
		return readRelease{Release: r}, err
	})
	if l.err != nil {
		return nil
	}
	return l.val.Release
}
