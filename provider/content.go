package provider

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// content is what a release says, shared by every Release that says it. It is
// laid out in few, exactly sized pieces, and one that is made of another shares
// what is the same, because caches hold hundreds of them: plain maps, slices and
// references would take more than twice the memory.
type content struct {
	version  string
	digest   string
	created  time.Time
	platform Platform

	components []component // sorted by name
	versions   pairs
	metadata   Metadata
	files      *files

	// What was derived from this content: the one thing that changes, and nobody sees it.
	// Four are kept: two layers, each while two versions of the rules alternate.
	derived recent[*content]
}

type component struct {
	name             string
	image, canonical packed
	pullFrom         []packed
	annotations      pairs
}

// pairs is a map as a sorted list of key, value, key, value.
type pairs []string

func newPairs(m map[string]string, intern func(string) string) pairs {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	p := make(pairs, 0, 2*len(m))
	for _, k := range keys {
		p = append(p, intern(k), intern(m[k]))
	}
	return p
}

func (p pairs) toMap() map[string]string {
	m := make(map[string]string, len(p)/2)
	for i := 0; i+1 < len(p); i += 2 {
		m[p[i]] = p[i+1]
	}
	return m
}

// equal reports whether p says what m says.
func (p pairs) equal(m map[string]string) bool {
	if 2*len(m) != len(p) {
		return false
	}
	for i := 0; i+1 < len(p); i += 2 {
		if v, ok := m[p[i]]; !ok || v != p[i+1] {
			return false
		}
	}
	return true
}

// newContent makes a content of d. It shares with like, if that is not nil, what
// is the same in both. If keep is not nil, it has the files, and d has none.
func newContent(d ReleaseData, like *content, keep *files) (*content, error) {
	if d.Version == "" {
		return nil, errNoVersion
	}
	cs := slices.Clone(d.Components)
	for i := range cs {
		if cs[i].Canonical.IsZero() {
			cs[i].Canonical = cs[i].Image
		}
		if cs[i].Image.IsZero() {
			cs[i].Image = cs[i].Canonical
		}
	}
	slices.SortStableFunc(cs, byName)
	if err := checkComponents(cs); err != nil {
		return nil, err
	}

	if like == nil {
		like = &content{}
	}
	// Annotation keys repeat on every component, and so do many values.
	seen := make(map[string]string)
	intern := func(s string) string {
		if t, ok := seen[s]; ok {
			return t
		}
		s = strings.Clone(s) // never keep a decoder's whole buffer alive
		seen[s] = s
		return s
	}
	sharedParts := func(old pairs, m map[string]string) pairs {
		if old.equal(m) {
			return old
		}
		return newPairs(m, intern)
	}
	c := &content{
		version: d.Version, digest: d.Digest, created: d.Created, platform: d.Platform,
		components: make([]component, len(cs)),
		versions:   sharedParts(like.versions, d.ComponentVersions),
		metadata:   d.Metadata.clone(),
		files:      keep,
	}
	if keep == nil {
		c.files = newFiles(d, like.files)
	}
	lists := 0
	for _, in := range cs {
		lists += len(in.PullFrom)
	}
	p := newPacker(like)
	p.slab = make([]packed, lists)
	for i, in := range cs {
		var old component
		if j, ok := like.find(in.Name); ok {
			old = like.components[j]
		} else {
			old.name = strings.Clone(in.Name)
		}
		c.components[i] = component{
			name: old.name, canonical: p.pack(in.Canonical), image: p.pack(in.Image),
			pullFrom:    p.list(in.PullFrom),
			annotations: sharedParts(old.annotations, in.Annotations),
		}
	}
	return c, nil
}

// find returns the place of the component of that name.
func (c *content) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c.components, name, func(c component, name string) int {
		return strings.Compare(c.name, name)
	})
}

func (m Metadata) clone() Metadata {
	m.Previous, m.Next = slices.Clone(m.Previous), slices.Clone(m.Next)
	return m
}

func (c *component) export() Component {
	var u unpacker
	out := Component{Name: c.name, Canonical: u.ref(c.canonical), Annotations: c.annotations.toMap()}
	if out.Image = out.Canonical; c.image != c.canonical {
		out.Image = u.ref(c.image)
	}
	if len(c.pullFrom) > 0 {
		out.PullFrom = make([]imageref.Ref, len(c.pullFrom))
		for i, p := range c.pullFrom {
			out.PullFrom[i] = u.ref(p)
		}
	}
	return out
}
