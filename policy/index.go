package policy

import (
	"hash/maphash"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// index finds the table that covers a reference. It is built once per snapshot
// and never changes.
//
// A lookup probes one hash table for every place where a source may end, longest
// first, and reads one record that holds all it needs side by side: with 100,000
// sources it takes as long as the cache lines that it touches.
type index struct {
	seed    maphash.Seed
	marks   []byte   // open addressing, a power of two, at most half full: a byte of the hash, 0 is free
	records []uint32 // the record in the arena behind each mark
	lengths [maxSource/64 + 1]uint64
	wild    bool // whether any table is a wildcard

	arena   string   // records
	origins []string // of all endpoints
	tables  []*table // what the hot path does not need
}

// maxSource is the longest source that can match: a name has 255 characters, and
// a wildcard has a star for the first label.
const maxSource = 256

func newIndex(entries []*table) (*index, error) {
	x := &index{seed: maphash.MakeSeed(), tables: entries}
	size := 8
	for size < 2*len(entries) {
		size *= 2
	}
	x.marks, x.records = make([]byte, size), make([]uint32, size)
	w := newRecordWriter(entries)
	for i, e := range entries {
		if e.prefix == "" || len(e.prefix) > maxSource {
			continue // it matches nothing
		}
		offset, err := w.write(i, e)
		if err != nil {
			return nil, err
		}
		x.insert(e.prefix, offset)
	}
	x.arena, x.origins = w.arena.String(), w.origins
	return x, nil
}

func (x *index) insert(prefix string, record uint32) {
	x.lengths[len(prefix)/64] |= 1 << (len(prefix) % 64)
	if isWildcard(prefix) { // no name has the star; the length tells them apart
		x.wild = true
		prefix = prefix[1:]
	}
	i, mark := x.hash(prefix)
	for x.marks[i] != 0 {
		i = (i + 1) & (len(x.marks) - 1)
	}
	x.marks[i], x.records[i] = mark, record
}

// hash returns where a text belongs in the table, and its mark.
func (x *index) hash(s string) (int, byte) {
	h := maphash.String(x.seed, s)
	return int(h) & (len(x.marks) - 1), byte(h>>56) | 1
}

// probe finds the record of the table whose prefix is text, or "*" and text; 0 is
// none. Most probes miss and read one byte of the table.
func (x *index) probe(text string, wild bool) uint32 {
	n := len(text)
	if wild {
		n++
	}
	if x.lengths[n/64]&(1<<(n%64)) == 0 {
		return 0
	}
	for i, mark := x.hash(text); x.marks[i] != 0; i = (i + 1) & (len(x.marks) - 1) {
		if x.marks[i] != mark {
			continue
		}
		at := x.records[i]
		if p := x.prefix(at); len(p) == n && p[n-len(text):] == text && (!wild || p[0] == '*') {
			return at
		}
	}
	return 0
}

// find returns the record of the table with the longest prefix that covers name, whose registry ends at host; of equally long
// ones the wildcard, which sorts first. end is the end in name of what the prefix
// covers. With skip, that many of the best entries are passed over; 0 is none.
func (x *index) find(name string, host, skip int) (record uint32, end int) {
	for end = len(name); end > host; end = strings.LastIndexByte(name[:end], '/') {
		if record = x.probe(name[:end], false); record != 0 {
			if skip--; skip < 0 {
				return record, end
			}
		}
	}
	bare := host
	if i := strings.LastIndexByte(name[:host], ':'); i > 0 && name[host-1] != ']' {
		if record = x.probe(name[:host], false); record != 0 {
			if skip--; skip < 0 {
				return record, host
			}
		}
		bare = i
	}
	// A wildcard that stands for one letter is as long as the host.
	if x.wild && bare > 1 && name[1] == '.' {
		if record = x.probeWild(name, 1, bare); record != 0 {
			if skip--; skip < 0 {
				return record, bare
			}
		}
	}
	if record = x.probe(name[:bare], false); record != 0 {
		if skip--; skip < 0 {
			return record, bare
		}
	}
	for i := 2; x.wild && i < bare; i++ {
		if name[i] != '.' {
			continue
		}
		if record = x.probeWild(name, i, bare); record != 0 {
			if skip--; skip < 0 {
				return record, bare
			}
		}
	}
	return 0, 0
}

// probeWild finds the wildcard for the part of the host that begins at the dot
// at i. Only the first occurrence of that part in the name counts, as
// sysregistriesv2 searches for it.
func (x *index) probeWild(name string, i, bare int) uint32 {
	record := x.probe(name[i:bare], true)
	if record != 0 && strings.Index(name, name[i:bare]) != i {
		return 0
	}
	return record
}

// lookup finds the table for a reference, nil if there is none.
func (x *index) lookup(ref imageref.Ref) *table {
	return x.lookupNth(ref.Name(), len(ref.Registry()), 0)
}

// lookupNth finds the table that comes after skip better ones.
func (x *index) lookupNth(name string, host, skip int) *table {
	record, _ := x.find(name, host, skip)
	if record == 0 {
		return nil
	}
	return x.tables[x.number(record)]
}

// blockedTable finds the blocked table that a physical reference lies in, or nil.
func (x *index) blockedTable(ref imageref.Ref) *table {
	if c := x.lookup(ref); c != nil && c.blocked {
		return c
	}
	return nil
}

// exact finds the table with exactly this prefix.
func (x *index) exact(prefix string) *table {
	if prefix == "" || len(prefix) > maxSource {
		return nil
	}
	record := uint32(0)
	if isWildcard(prefix) {
		record = x.probe(prefix[1:], true)
	} else {
		record = x.probe(prefix, false)
	}
	if record == 0 {
		return nil
	}
	return x.tables[x.number(record)]
}

// parent finds the table that would cover what c covers if c were not there.
func (x *index) parent(c *table) *table {
	if c.prefix == "" || len(c.prefix) > maxSource {
		return nil
	}
	host, _, _ := strings.Cut(c.prefix, "/")
	for skip, found := 0, false; ; skip++ {
		next := x.lookupNth(c.prefix, len(host), skip)
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
