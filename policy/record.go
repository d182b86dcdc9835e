package policy

import (
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A record is a table as the hot path reads it, in one piece of memory:
//
//	header     number of the table (4), number of endpoints (4), length of the prefix (2), flags (1)
//	endpoints  in order, the primary last: origins (4), how many (4), form of the base (4), length of its text (2), flags (1)
//	prefix
//	texts      of the bases, in the same order
//
// What tells where to read on comes first, so that it shares a cache line.
const (
	headerSize   = 11
	endpointSize = 15
)

// Flags of a header: an endpoint may lie in something blocked.
const (
	checkDigests = 1 << iota
	checkTags
)

// Flags of an endpoint.
const (
	forDigests = 1 << iota
	forTags
	isMirror
	isInsecure
	isByTenant
)

// record is a record with its header read.
type record struct {
	flags  byte
	heads  string // of the endpoints
	prefix string
	texts  string // and what follows
}

func (x *index) number(at uint32) uint32 { return u32(x.arena[at:]) }

func (x *index) prefix(at uint32) string {
	head := x.arena[at:]
	start := headerSize + int(u32(head[4:]))*endpointSize
	return head[start : start+int(u16(head[8:]))]
}

func (x *index) record(at uint32) record {
	head := x.arena[at:]
	start := headerSize + int(u32(head[4:]))*endpointSize
	end := start + int(u16(head[8:]))
	return record{flags: head[10], heads: head[headerSize:start], prefix: head[start:end], texts: head[end:]}
}

// endpointInfo is what a record says about a candidate.
type endpointInfo struct {
	origins, named             uint32 // where, and how many
	mirror, insecure, byTenant bool
}

// endpoints appends the endpoints for digests or for tags to bases and out.
func (r record) endpoints(bases []imageref.Base, out []endpointInfo, digest bool) ([]imageref.Base, []endpointInfo) {
	want := byte(forTags)
	if digest {
		want = forDigests
	}
	texts := r.texts
	for heads := r.heads; len(heads) >= endpointSize; heads = heads[endpointSize:] {
		n, flags := int(u16(heads[12:])), heads[14]
		if flags&want != 0 {
			bases = append(bases, imageref.UnpackBase(texts[:n], u32(heads[8:])))
			out = append(out, endpointInfo{u32(heads), u32(heads[4:]), flags&isMirror != 0, flags&isInsecure != 0, flags&isByTenant != 0})
		}
		texts = texts[n:]
	}
	return bases, out
}

// originsOf returns the entries that named a candidate, nil for the source in its own
// place.
func (x *index) originsOf(k endpointInfo) []string {
	if k.named == 0 {
		return nil
	}
	return x.origins[k.origins : k.origins+k.named : k.origins+k.named]
}

// mayBeBlocked reports whether an endpoint may be blocked.
func (r record) mayBeBlocked(digest bool) bool {
	if digest {
		return r.flags&checkDigests != 0
	}
	return r.flags&checkTags != 0
}

func u16(s string) uint16 { return uint16(s[0]) | uint16(s[1])<<8 }
func u32(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}
