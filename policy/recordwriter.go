package policy

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// recordWriter lays records out.
type recordWriter struct {
	arena        strings.Builder
	origins      []string
	originsPlace map[string]uint32 // where in origins a list of them is
	blocked      blockedLocations
	buf          []byte
}

func newRecordWriter(entries []*table) *recordWriter {
	w := &recordWriter{
		originsPlace: map[string]uint32{"": 0}, blocked: newBlockedLocations(entries),
	}
	w.arena.WriteByte(0) // so that no record is at 0
	return w
}

// write appends the record of a table that can match and returns its place.
func (w *recordWriter) write(number int, e *table) (uint32, error) {
	if w.arena.Len() > math.MaxUint32 {
		return 0, invalidEntries(e.origins, "the policies together are too large: over 4 GiB")
	}
	offset := uint32(w.arena.Len())
	var flags byte
	heads := make([]byte, 0, (len(e.mirrors)+1)*endpointSize)
	var texts []string
	add := func(base imageref.Base, f byte, origins []string, suspect bool) {
		text, form := base.Pack()
		heads = binary.LittleEndian.AppendUint32(heads, w.originsAt(origins))
		heads = binary.LittleEndian.AppendUint32(heads, uint32(len(origins)))
		heads = binary.LittleEndian.AppendUint32(heads, form)
		heads = binary.LittleEndian.AppendUint16(heads, uint16(len(text)))
		heads = append(heads, f)
		texts = append(texts, text)
		if suspect {
			flags |= f & (forDigests | forTags) // the same bits as judgeDigests and judgeTags
		}
	}
	for _, m := range e.mirrors {
		f := byte(0)
		if m.pull != PullTag {
			f |= forDigests
		}
		if m.pull != PullDigest {
			f |= forTags
		}
		if m.location != e.prefix {
			f |= isMirror
		}
		if m.insecure {
			f |= isInsecure
		}
		if m.byTenant {
			f |= isByTenant
		}
		base := imageref.NewBase(m.location)
		add(base, f, m.origins, w.blocked.mayHold(base))
	}
	f := byte(forDigests | forTags)
	if e.insecure {
		f |= isInsecure
	}
	primary, suspect := imageref.SameBase(), e.blocked
	var movedBy []string
	if e.isMoved() {
		primary = imageref.NewBase(e.location)
		suspect = w.blocked.mayHold(primary)
		movedBy = e.origins
	}
	add(primary, f, movedBy, suspect)

	w.buf = binary.LittleEndian.AppendUint32(w.buf[:0], uint32(number))
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(texts)))
	w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(len(e.prefix)))
	w.buf = append(w.buf, flags)
	w.arena.Write(w.buf)
	w.arena.Write(heads)
	w.arena.WriteString(e.prefix)
	for _, t := range texts {
		w.arena.WriteString(t)
	}
	return offset, nil
}

// originsAt puts origins one after another into the list of all, once.
func (w *recordWriter) originsAt(origins []string) uint32 {
	key := strings.Join(origins, "\x00")
	at, ok := w.originsPlace[key]
	if !ok {
		at = uint32(len(w.origins))
		w.originsPlace[key] = at
		w.origins = append(w.origins, origins...)
	}
	return at
}

// blockedLocations tells which locations may hold something blocked, so that the routes
// without one need not look.
type blockedLocations struct {
	sorted []string // blocked prefixes
	set    map[string]bool
}

func newBlockedLocations(entries []*table) blockedLocations {
	s := blockedLocations{set: map[string]bool{}}
	for _, e := range entries { // they are sorted
		if e.blocked {
			s.sorted = append(s.sorted, e.prefix)
			s.set[e.prefix] = true
		}
	}
	return s
}

// mayHold reports whether an image put onto base may lie in a blocked table: one
// that covers base, or one inside it.
func (s blockedLocations) mayHold(base imageref.Base) bool {
	if len(s.sorted) == 0 {
		return false
	}
	if !base.IsPlain() {
		return true
	}
	location := base.String()
	if i, _ := slices.BinarySearch(s.sorted, location); i < len(s.sorted) && strings.HasPrefix(s.sorted[i], location) {
		return true
	}
	host := len(location)
	for i := range len(location) {
		switch location[i] {
		case ':', '/':
			host = min(host, i)
			if s.set[location[:i]] {
				return true
			}
		}
	}
	for i := range host {
		if location[i] == '.' && s.set["*"+location[i:host]] {
			return true
		}
	}
	return false
}
