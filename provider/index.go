package provider

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// index finds the entry that covers a reference. It is built once per snapshot
// and never changes.
//
// One probe per place where a source may end, longest first, in a hash table of
// our own: a probe that misses touches one word, a hit the entry and the text
// that it is compared with, which lie side by side. Plain maps need three times
// as many cache lines, which shows from 10,000 sources on.
type index struct {
	seed    maphash.Seed
	slots   []slot // open addressing, a power of two, at most half full
	lengths [maxSource/64 + 1]uint64
	wild    bool // whether any entry is a wildcard

	entries    []covered
	bases      []imageref.Base // of all routes
	candidates []Candidate     // of all routes, references left out
}

// maxSource is the longest source that can match: a name has 255 characters, and
// a wildcard has a star for the first label.
const maxSource = 256

type slot struct {
	hash  uint32
	entry int32 // plus one; 0 is free
}

// covered is an entry as looked up.
type covered struct {
	prefix      string
	digest, tag route
	blocked     bool
	insecure    bool
	moved       bool // the primary location is not the prefix
	source      *entry
}

// route is the endpoints for one way to pull, the primary last.
type route struct {
	first uint32
	count uint32
	judge bool // an endpoint may lie in something blocked
}

func newIndex(entries []*entry) *index {
	x := &index{seed: maphash.MakeSeed(), entries: make([]covered, len(entries))}
	size := 8
	for size < 2*len(entries) {
		size *= 2
	}
	x.slots = make([]slot, size)
	mirrors := 0
	for _, e := range entries {
		mirrors += 2 * (len(e.mirrors) + 1)
	}
	x.bases = make([]imageref.Base, 0, mirrors)
	x.candidates = make([]Candidate, 0, mirrors)
	for i, e := range entries {
		text := pack(e)
		x.entries[i] = covered{
			prefix: text[0], blocked: e.blocked, insecure: e.insecure, source: e,
			moved: e.location != "" && (e.location != e.prefix || isWildcard(e.prefix)),
		}
		x.insert(text[0], i)
	}
	for i, e := range entries {
		c := &x.entries[i]
		c.digest = x.route(c, e, PullDigest)
		c.tag = x.route(c, e, PullTag)
	}
	x.judge()
	return x
}

// pack copies the prefix and the mirrors of an entry into one piece of memory.
func pack(e *entry) []string {
	var b strings.Builder
	all := make([]string, 0, 1+len(e.mirrors))
	all = append(all, e.prefix)
	for i := range e.mirrors {
		all = append(all, e.mirrors[i].location)
	}
	for _, s := range all {
		b.WriteString(s)
	}
	text := b.String()
	for i, s := range all {
		all[i], text = text[:len(s)], text[len(s):]
	}
	e.prefix = all[0]
	for i := range e.mirrors {
		e.mirrors[i].location = all[1+i]
	}
	return all
}

func (x *index) insert(prefix string, entry int) {
	if prefix == "" || len(prefix) > maxSource {
		return // matches nothing
	}
	x.wild = x.wild || isWildcard(prefix)
	x.lengths[len(prefix)/64] |= 1 << (len(prefix) % 64)
	h := x.hash(prefix)
	mask := uint32(len(x.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if x.slots[i].entry == 0 {
			x.slots[i] = slot{h, int32(entry) + 1}
			return
		}
	}
}

// hash leaves out the star of a wildcard, which no name has; the length tells
// them apart.
func (x *index) hash(prefix string) uint32 {
	if isWildcard(prefix) {
		prefix = prefix[1:]
	}
	return uint32(maphash.String(x.seed, prefix) >> 16)
}

// probe finds the entry whose prefix is text, or "*" and text.
func (x *index) probe(text string, wild bool) *covered {
	n := len(text)
	if wild {
		n++
	}
	if x.lengths[n/64]&(1<<(n%64)) == 0 {
		return nil
	}
	h := uint32(maphash.String(x.seed, text) >> 16)
	mask := uint32(len(x.slots) - 1)
	for i := h & mask; x.slots[i].entry != 0; i = (i + 1) & mask {
		if x.slots[i].hash != h {
			continue
		}
		e := &x.entries[x.slots[i].entry-1]
		if len(e.prefix) == n && e.prefix[n-len(text):] == text && (!wild || e.prefix[0] == '*') {
			return e
		}
	}
	return nil
}

// find is FindRegistry of sysregistriesv2: the entry with the longest prefix
// that covers name, whose registry ends at host; of equally long ones the
// wildcard, which sorts first. end is the end in name of what the prefix covers.
// With skip, that many of the best entries are passed over.
func (x *index) find(name string, host, skip int) (c *covered, end int) {
	for end = len(name); end > host; end = strings.LastIndexByte(name[:end], '/') {
		if c = x.probe(name[:end], false); c != nil {
			if skip--; skip < 0 {
				return c, end
			}
		}
	}
	bare := host
	if i := strings.LastIndexByte(name[:host], ':'); i > 0 && name[host-1] != ']' {
		if c = x.probe(name[:host], false); c != nil {
			if skip--; skip < 0 {
				return c, host
			}
		}
		bare = i
	}
	// A wildcard that stands for one letter is as long as the host.
	if x.wild && bare > 1 && name[1] == '.' {
		if c = x.probeWild(name, 1, bare); c != nil {
			if skip--; skip < 0 {
				return c, bare
			}
		}
	}
	if c = x.probe(name[:bare], false); c != nil {
		if skip--; skip < 0 {
			return c, bare
		}
	}
	for i := 2; x.wild && i < bare; i++ {
		if name[i] != '.' {
			continue
		}
		if c = x.probeWild(name, i, bare); c != nil {
			if skip--; skip < 0 {
				return c, bare
			}
		}
	}
	return nil, 0
}

// probeWild finds the wildcard for the part of the host that begins at the dot
// at i. Only the first occurrence of that part in the name counts, as
// sysregistriesv2 searches for it.
func (x *index) probeWild(name string, i, bare int) *covered {
	c := x.probe(name[i:bare], true)
	if c != nil && strings.Index(name, name[i:bare]) != i {
		return nil
	}
	return c
}

// entry finds the entry with exactly this prefix.
func (x *index) entry(prefix string) *covered {
	if prefix == "" || len(prefix) > maxSource {
		return nil
	}
	if isWildcard(prefix) {
		return x.probe(prefix[1:], true)
	}
	return x.probe(prefix, false)
}

// parent finds the entry that would cover what c covers if c were not there.
func (x *index) parent(c *covered) *covered {
	host, _, _ := strings.Cut(c.prefix, "/")
	if c.prefix == "" || len(c.prefix) > maxSource {
		return nil
	}
	for skip, found := 0, false; ; skip++ {
		next, _ := x.find(c.prefix, len(host), skip)
		switch {
		case next == nil:
			return nil
		case next == c:
			found = true
		case found:
			return next
		}
	}
}

// of finds the entry for a reference.
func (x *index) of(ref imageref.Ref) (c *covered, end int) {
	return x.find(ref.Name(), len(ref.Registry()), 0)
}

// route lays out the endpoints of an entry for digests or for tags.
func (x *index) route(c *covered, e *entry, by PullBy) route {
	first := len(x.bases)
	for _, m := range e.mirrors {
		if m.pull == PullAny || m.pull == by {
			x.bases = append(x.bases, imageref.NewBase(m.location))
			x.candidates = append(x.candidates, Candidate{
				Mirror: m.location != e.prefix, Insecure: m.insecure, Origins: m.origins,
			})
		}
	}
	primary := imageref.SameBase()
	if c.moved {
		primary = imageref.NewBase(e.location)
	}
	x.bases = append(x.bases, primary)
	x.candidates = append(x.candidates, Candidate{Insecure: e.insecure})
	return route{first: uint32(first), count: uint32(len(x.bases) - first)}
}

// judge finds the routes on which an endpoint may be blocked, so that the others
// need not look.
func (x *index) judge() {
	var blocked []string // sorted, as the entries are
	for i := range x.entries {
		if x.entries[i].blocked {
			blocked = append(blocked, x.entries[i].prefix)
		}
	}
	if len(blocked) == 0 {
		return
	}
	suspect := func(location string) bool {
		if i, _ := slices.BinarySearch(blocked, location); i < len(blocked) && strings.HasPrefix(blocked[i], location) {
			return true
		}
		host, _, _ := strings.Cut(location, "/")
		c, _ := x.find(location, len(host), 0)
		return c != nil && c.blocked
	}
	for i := range x.entries {
		c := &x.entries[i]
		for _, r := range []*route{&c.digest, &c.tag} {
			for _, b := range x.routeBases(*r) {
				if b == imageref.SameBase() {
					r.judge = r.judge || c.blocked
				} else {
					r.judge = r.judge || !b.IsPlain() || suspect(b.String())
				}
			}
		}
	}
}

func (x *index) routeBases(r route) []imageref.Base { return x.bases[r.first : r.first+r.count] }
func (x *index) routeCandidates(r route) []Candidate {
	return x.candidates[r.first : r.first+r.count]
}

// blocks tells whether the physical reference lies in a blocked entry.
func (x *index) blocks(ref imageref.Ref) *covered {
	if c, _ := x.of(ref); c != nil && c.blocked {
		return c
	}
	return nil
}
