package provider

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// RewriteError says that a rule makes no reference out of an image. Nodes fail
// such a pull before they contact anything, and so do lookups here.
type RewriteError struct {
	Image    imageref.Ref
	Source   string // of the rule that matches
	Location string // the mirror, or the target of a Rewrite rule
	Origins  []string
	Err      error // what is wrong with the result
}

func (e *RewriteError) Error() string {
	from := ""
	if len(e.Origins) > 0 {
		from = " (" + strings.Join(e.Origins, ", ") + ")"
	}
	return fmt.Sprintf("%s cannot be moved from %s to %s%s: %v", e.Image, e.Source, e.Location, from, e.Err)
}

// Unwrap is the cause.
func (e *RewriteError) Unwrap() error { return e.Err }

var errNoImage = errors.New("no image reference was given")

// Candidates are Resolve's, without the explanation: the hot path. The slice is
// the caller's; it is empty where policy blocks every endpoint. At most two
// allocations.
func (r *Rules) Candidates(ref imageref.Ref) ([]Candidate, error) {
	if ref.IsZero() {
		return nil, errNoImage
	}
	if len(r.rewrites.bySource) > 0 {
		e, err := r.endpoints(ref.Normalize())
		return r.permitted(e), err
	}
	c, end := r.index.of(ref)
	if c == nil {
		return []Candidate{{Ref: ref.Normalize()}}, nil
	}
	route := c.route(ref)
	bases, known := r.index.routeBases(route), r.index.routeCandidates(route)
	var few [8]imageref.Ref
	refs := few[:]
	if len(bases) > len(few) {
		refs = make([]imageref.Ref, len(bases))
	}
	if i, err := imageref.Rebase(refs, ref, end, bases); err != nil {
		return nil, c.rewriteError(ref, bases[i], known[i], err)
	}
	out := make([]Candidate, len(known))
	copy(out, known)
	for i := range out {
		out[i].Ref = refs[i]
	}
	if isWildcard(c.prefix) {
		unmirror(out, bases, ref.Name()[:end])
	}
	if route.judge {
		out = r.permitted(out)
	}
	return out, nil
}

// unmirror marks the mirrors of a wildcard that happen to be the source: those of
// the host that the wildcard stood for.
func unmirror(out []Candidate, bases []imageref.Base, host string) {
	for i := range out {
		out[i].Mirror = out[i].Mirror && bases[i].String() != host
	}
}

// permitted removes what lies in something blocked, in place.
func (r *Rules) permitted(all []Candidate) []Candidate {
	out := all[:0]
	for _, c := range all {
		if r.index.blocks(c.Ref) == nil {
			out = append(out, c)
		}
	}
	clear(all[len(out):])
	return out
}

// endpoints are all endpoints for a normalized reference, blocked or not, with
// Rewrite rules applied.
func (r *Rules) endpoints(ref imageref.Ref) ([]Candidate, error) {
	moved, rule, err := r.rewrites.apply(ref)
	if err != nil {
		return nil, err
	}
	source := Candidate{Ref: ref}
	if rule != nil {
		source = Candidate{Ref: moved, Origins: []string{rule.origin}}
		if c, _ := r.index.of(moved); c != nil {
			source.Insecure = c.insecure
		}
	}
	c, end := r.index.of(ref)
	if c == nil {
		return []Candidate{source}, nil
	}
	route := c.route(ref)
	bases, out := r.index.routeBases(route), append([]Candidate(nil), r.index.routeCandidates(route)...)
	if isWildcard(c.prefix) {
		unmirror(out, bases, ref.Name()[:end])
	}
	for i := range out {
		if rule != nil && !out[i].Mirror {
			out[i] = source
			continue
		}
		var one [1]imageref.Ref
		if _, err := imageref.Rebase(one[:], ref, end, bases[i:i+1]); err != nil {
			return nil, c.rewriteError(ref, bases[i], out[i], err)
		}
		out[i].Ref = one[0]
	}
	return out, nil
}

func (c *covered) route(ref imageref.Ref) route {
	if ref.Digest() != "" {
		return c.digest
	}
	return c.tag
}

func (c *covered) rewriteError(ref imageref.Ref, b imageref.Base, known Candidate, err error) error {
	origins := known.Origins
	if len(origins) == 0 {
		origins = c.source.origins
	}
	return &RewriteError{Image: ref.Normalize(), Source: c.prefix, Location: b.String(), Origins: origins, Err: err}
}

// Resolve says where ref may be pulled from, and why. A mirror that ref cannot be
// put onto is a [*RewriteError], even if other endpoints are sound.
func (r *Rules) Resolve(ref imageref.Ref) (Resolution, error) {
	if ref.IsZero() {
		return Resolution{}, errNoImage
	}
	res := Resolution{Normalized: ref.Normalize()}
	name, host := ref.Name(), len(ref.Registry())
	for skip := 0; ; skip++ {
		c, _ := r.index.find(name, host, skip)
		if c == nil {
			break
		}
		if skip == 0 {
			res.Source = c.prefix
		} else {
			res.Losing = append(res.Losing, c.prefix)
		}
	}
	all, err := r.endpoints(res.Normalized)
	if err != nil {
		return res, err
	}
	for _, c := range all {
		if by := r.index.blocks(c.Ref); by != nil {
			why := by.source.blockedBy
			res.Refused = append(res.Refused, Refusal{Ref: c.Ref, Mirror: c.Mirror, By: why.Name, Origin: why.Origin})
		} else {
			res.Candidates = append(res.Candidates, c)
		}
	}
	return res, nil
}
