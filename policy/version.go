package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// versionOf hashes what lookups depend on, and nothing else: no origins, and
// nothing that the order of objects decides.
func versionOf(entries []*table, rw rewrites) string {
	h := digester{h: sha256.New()}
	h.number(len(entries))
	for _, e := range entries {
		h.text(e.prefix)
		h.text(e.location)
		h.flags(e.insecure, e.blocked)
		for _, other := range []PullBy{PullTag, PullDigest} {
			h.mirrors(e.mirrors, other)
		}
	}
	h.number(len(rw.sorted))
	for _, r := range rw.sorted {
		h.text(r.source)
		h.text(r.target)
	}
	return hex.EncodeToString(h.h.Sum(nil)[:16])
}

// digester writes values so that no two sequences of them look the same.
type digester struct {
	h   hash.Hash
	buf []byte
}

func (d *digester) number(n int) {
	d.buf = binary.AppendUvarint(d.buf[:0], uint64(n))
	d.h.Write(d.buf)
}

func (d *digester) text(s string) {
	d.buf = append(binary.AppendUvarint(d.buf[:0], uint64(len(s))), s...)
	d.h.Write(d.buf)
}

// mirrors writes those that serve not only other: how lists for digests and for
// tags lie beside each other in one entry decides nothing.
func (d *digester) mirrors(all []endpoint, other PullBy) {
	n := 0
	for _, m := range all {
		if m.pull != other {
			n++
		}
	}
	d.number(n)
	for _, m := range all {
		if m.pull != other {
			d.text(m.location)
			d.flags(m.insecure, m.byTenant)
		}
	}
}

func (d *digester) flags(flags ...bool) {
	n := 0
	for i, f := range flags {
		if f {
			n |= 1 << i
		}
	}
	d.number(n)
}
