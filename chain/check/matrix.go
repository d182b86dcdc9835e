package check

import (
	"errors"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Endpoint is one place where an image may be, and what it said.
type Endpoint struct {
	Ref    imageref.Ref // the image there
	Mirror bool         // false for the source itself
	// Asked is false for one that was not asked: because an endpoint before it has the
	// image, because sources are not asked, or because ctx ended.
	Asked bool
	// Digest is what the endpoint calls the image; "" unless it has it.
	Digest string
	// Err is why the endpoint does not have the image; nil if it has it or was not asked.
	Err error
}

// State is what is known of an image at an endpoint.
type State uint8

// The states.
const (
	NotAsked State = iota
	Has
	Lacks  // it says that it does not have the image
	Failed // it could not say
)

// String returns a short word that stays the same.
func (s State) String() string {
	return [...]string{NotAsked: "notAsked", Has: "found", Lacks: "missing", Failed: "failed"}[s]
}

// State returns what e says.
func (e Endpoint) State() State {
	switch {
	case !e.Asked:
		return NotAsked
	case e.Err == nil:
		return Has
	case provider.ClassOf(e.Err) == provider.ClassNotFound:
		return Lacks
	}
	return Failed
}

// endpoints returns the endpoints of ref with what was heard of them.
func endpoints(rules *policy.Rules, ref imageref.Ref, found chain.Found, err error) []Endpoint {
	cands, invalid := rules.Candidates(ref)
	if invalid != nil {
		return nil
	}
	attempts := found.Attempts
	if e, ok := errors.AsType[*chain.Error](err); ok {
		attempts = e.Attempts
	}
	var all []Endpoint
	for _, c := range cands {
		e := Endpoint{Ref: c.Ref, Mirror: c.Mirror}
		for _, a := range attempts { // the last one counts
			if a.Ref == c.Ref {
				e.Asked, e.Err = true, a.Err
			}
		}
		if e.State() == Has {
			if e.Digest = found.Digests[c.Ref]; c.Ref == found.From {
				e.Digest = found.Digest
			}
		}
		all = append(all, e)
	}
	return all
}

// Matrix is what results say of each mirror.
type Matrix struct {
	// Columns are the mirrors and sources, in the order in which they are first asked;
	// sources last.
	Columns []Column
	of      map[key]int
	shared  map[string]bool // hosts at which an image may be in several places
}

// Column is one mirror or source: a registry, or a place in it where images have several
// places in one registry.
type Column struct {
	Name   string // "mirror.example.com:5000", or with a path
	Mirror bool
	// How many images it has, lacks, could not say of, and was not asked for. Images for
	// which it is no endpoint do not count.
	Has, Lacks, Failed, NotAsked int
}

type key struct {
	name   string
	mirror bool
}

// NewMatrix sums results up. Results of the same image count once each.
func NewMatrix(results []Result) *Matrix {
	m := &Matrix{of: make(map[key]int), shared: make(map[string]bool)}
	for _, r := range results {
		for i, e := range r.At {
			if slices.ContainsFunc(r.At[:i], func(o Endpoint) bool { return o.Ref.Registry() == e.Ref.Registry() && o.Mirror == e.Mirror }) {
				m.shared[e.Ref.Registry()] = true
			}
		}
	}
	for _, mirror := range []bool{true, false} {
		for _, r := range results {
			for _, e := range r.At {
				if e.Mirror == mirror {
					m.add(r.Image, e)
				}
			}
		}
	}
	return m
}

func (m *Matrix) add(image imageref.Ref, e Endpoint) {
	k := m.key(image, e)
	i, ok := m.of[k]
	if !ok {
		i = len(m.Columns)
		m.of[k] = i
		m.Columns = append(m.Columns, Column{Name: k.name, Mirror: e.Mirror})
	}
	c := &m.Columns[i]
	switch e.State() {
	case Has:
		c.Has++
	case Lacks:
		c.Lacks++
	case Failed:
		c.Failed++
	default:
		c.NotAsked++
	}
}

func (m *Matrix) key(image imageref.Ref, e Endpoint) key {
	host := e.Ref.Registry()
	if !m.shared[host] {
		return key{host, e.Mirror}
	}
	return key{location(image, e.Ref), e.Mirror}
}

// Column returns the column of an endpoint of image, -1 for one that is not in m.
func (m *Matrix) Column(image imageref.Ref, e Endpoint) int {
	if i, ok := m.of[m.key(image, e)]; ok {
		return i
	}
	return -1
}

// Row returns what each column says of a result: nil where it is no endpoint of it.
func (m *Matrix) Row(r Result) []*Endpoint {
	row := make([]*Endpoint, len(m.Columns))
	for i := range r.At {
		if c := m.Column(r.Image, r.At[i]); c >= 0 {
			row[c] = &r.At[i]
		}
	}
	return row
}

// location returns the part of at that is not the same as in image: the mirror as policy
// names it, or less.
func location(image, at imageref.Ref) string {
	a, b := strings.Split(at.Name(), "/"), strings.Split(image.Name(), "/")
	for len(a) > 1 && len(b) > 1 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return strings.Join(a, "/")
}
