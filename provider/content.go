package provider

import (
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// content is what a release says, shared by every Release that says it. It is
// laid out in few, exactly sized pieces, because caches hold hundreds of them:
// maps and per-component slices would nearly double it.
type content struct {
	version  string
	digest   string
	created  time.Time
	platform Platform

	components []component // sorted by name
	versions   pairs
	metadata   Metadata
	bootImages string
	interned   int // bytes of the names and annotations, each counted once

	derived derivations // the one thing that changes, and nobody sees it
}

type component struct {
	name             string
	image, canonical imageref.Ref
	pullFrom         []imageref.Ref
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

func newContent(d ReleaseData) (*content, error) {
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
	c := &content{
		version: d.Version, digest: d.Digest, created: d.Created, platform: d.Platform,
		components: make([]component, len(cs)),
		versions:   newPairs(d.ComponentVersions, intern),
		metadata:   d.Metadata.clone(),
		bootImages: string(d.BootImages),
	}
	for i, in := range cs {
		c.components[i] = component{
			name: in.Name, image: in.Image, canonical: in.Canonical,
			pullFrom:    slices.Clone(in.PullFrom),
			annotations: newPairs(in.Annotations, intern),
		}
	}
	for s := range seen {
		c.interned += len(s)
	}
	return c, nil
}

func (m Metadata) clone() Metadata {
	m.Previous, m.Next = slices.Clone(m.Previous), slices.Clone(m.Next)
	return m
}

func (c *component) export() Component {
	return Component{
		Name: c.name, Image: c.image, Canonical: c.canonical,
		PullFrom:    slices.Clone(c.pullFrom),
		Annotations: c.annotations.toMap(),
	}
}

// derivations remembers what was derived from a content. Four: two layers, each
// while two versions of the rules alternate.
type derivations [4]atomic.Pointer[derivation]

type derivation struct {
	key     any
	content *content
}

func (d *derivations) get(key any) *content {
	for i := range d {
		if p := d[i].Load(); p != nil && p.key == key {
			return p.content
		}
	}
	return nil
}

// add keeps c, or returns what another goroutine kept meanwhile. The oldest goes.
func (d *derivations) add(key any, c *content) *content {
	if other := d.get(key); other != nil {
		return other
	}
	for i := len(d) - 1; i > 0; i-- {
		d[i].Store(d[i-1].Load())
	}
	d[0].Store(&derivation{key, c})
	return c
}
