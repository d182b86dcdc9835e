package provider

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

func sortBy[T any](s []T, key func(T) string) {
	slices.SortFunc(s, func(a, b T) int { return compare(key(a), key(b)) })
}

// versionOf hashes what lookups depend on, and nothing else: no origins, and
// nothing that the order of objects decides.
func versionOf(entries []*entry, rw rewrites) string {
	h := digester{h: sha256.New()}
	h.number(len(entries))
	for _, e := range entries {
		h.text(e.prefix)
		h.text(e.location)
		h.flags(e.insecure, e.blocked)
		h.number(len(e.mirrors))
		for _, m := range e.mirrors {
			h.text(m.location)
			h.flags(m.insecure, m.pull != PullTag, m.pull != PullDigest)
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

func (d *digester) flags(flags ...bool) {
	n := 0
	for i, f := range flags {
		if f {
			n |= 1 << i
		}
	}
	d.number(n)
}
