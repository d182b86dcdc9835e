package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// RewriteError says that a rule makes no valid reference of an image. Nodes fail such a
// pull before they contact a registry, and so do lookups here.
type RewriteError struct {
	Image    imageref.Ref // normalized
	Source   string       // of the rule that matches
	Location string       // the mirror, or the target of a Rewrite rule
	Origins  []string     // the entries that name Location
	Err      error        // what is wrong with the result
}

func (e *RewriteError) Error() string {
	from := ""
	if len(e.Origins) > 0 {
		from = " (" + strings.Join(e.Origins, ", ") + ")"
	}
	return fmt.Sprintf("%s cannot be moved from %s to %s%s: %v", e.Image, e.Source, e.Location, from, e.Err)
}

// Unwrap returns the cause.
func (e *RewriteError) Unwrap() error { return e.Err }

// Candidates returns the references at which ref may be read, in the order in which
// they are tried. They are the Candidates of [Rules.Resolve] without InsecureBy. Candidates
// is fast: it makes at most two allocations. The slice is the caller's. It is empty if
// policy blocks every candidate. Errors are those of Resolve.
func (r *Rules) Candidates(ref imageref.Ref) ([]Candidate, error) {
	if ref.IsZero() {
		return nil, ErrNoImage
	}
	r = r.orNone()
	if len(r.rewrites.bySource) > 0 {
		e, err := r.allCandidates(ref.Normalize(), false)
		return r.dropBlocked(e), err
	}
	at, end := r.index.find(ref.Name(), len(ref.Registry()), 0)
	if at == 0 {
		return []Candidate{{Ref: ref.Normalize()}}, nil
	}
	// Room for most on the stack.
	var (
		someBases [8]imageref.Base
		someKnown [8]endpointInfo
		someRefs  [8]imageref.Ref
	)
	rec, digest := r.index.record(at), ref.Digest() != ""
	bases, all := rec.endpoints(someBases[:0], someKnown[:0], digest)
	refs := someRefs[:]
	if len(bases) > len(refs) {
		refs = make([]imageref.Ref, len(bases))
	}
	if i, err := imageref.Rebase(refs, ref, end, bases); err != nil {
		return nil, r.rewriteError(ref, at, bases[i], all[i], err)
	}
	out := make([]Candidate, len(all))
	for i := range out {
		k, c := all[i], &out[i] // by field: a whole Candidate would be copied through memory
		c.Ref = refs[i]
		c.Mirror, c.Insecure, c.ByTenant = k.mirror, k.insecure, k.byTenant
		c.Origins = r.index.originsOf(k)
	}
	if isWildcard(rec.prefix) {
		unmarkSource(out, bases, ref.Name()[:end])
	}
	if rec.mayBeBlocked(digest) {
		out = r.dropBlocked(out)
	}
	return out, nil
}

// unmarkSource takes the mark of a mirror from those of a wildcard that are the source: those of
// the host that the wildcard stood for.
func unmarkSource(out []Candidate, bases []imageref.Base, host string) {
	for i := range out {
		out[i].Mirror = out[i].Mirror && bases[i].String() != host
	}
}

// dropBlocked removes what lies in something blocked, in place.
func (r *Rules) dropBlocked(all []Candidate) []Candidate {
	out := all[:0]
	for _, c := range all {
		if r.index.blockedTable(c.Ref) == nil {
			out = append(out, c)
		}
	}
	clear(all[len(out):])
	return out
}

// allCandidates returns all endpoints for a normalized reference, blocked or not, with
// Rewrite rules applied. why asks for InsecureBy.
func (r *Rules) allCandidates(ref imageref.Ref, why bool) ([]Candidate, error) {
	moved, rule, err := r.rewrites.apply(ref)
	if err != nil {
		return nil, err
	}
	source := Candidate{Ref: ref}
	if rule != nil {
		source = Candidate{Ref: moved, Origins: []string{rule.origin}}
		if c := r.index.lookup(moved); c != nil {
			source.Insecure = c.insecure
			if c.insecure && why {
				source.InsecureBy = r.sourceInsecureBy(c)
			}
		}
	}
	at, end := r.index.find(ref.Name(), len(ref.Registry()), 0)
	if at == 0 {
		return []Candidate{source}, nil
	}
	rec := r.index.record(at)
	bases, all := rec.endpoints(nil, nil, ref.Digest() != "")
	out := make([]Candidate, len(all))
	for i, k := range all {
		out[i] = Candidate{Mirror: k.mirror, Insecure: k.insecure, ByTenant: k.byTenant, Origins: r.index.originsOf(k)}
		if k.insecure && why {
			out[i].InsecureBy = r.insecureBy(at, bases[i])
		}
	}
	if isWildcard(rec.prefix) {
		unmarkSource(out, bases, ref.Name()[:end])
	}
	for i := range out {
		if rule != nil && !out[i].Mirror {
			out[i] = source
			continue
		}
		var one [1]imageref.Ref
		if _, err := imageref.Rebase(one[:], ref, end, bases[i:i+1]); err != nil {
			return nil, r.rewriteError(ref, at, bases[i], all[i], err)
		}
		out[i].Ref = one[0]
	}
	return out, nil
}

func (r *Rules) rewriteError(ref imageref.Ref, at uint32, b imageref.Base, k endpointInfo, err error) error {
	c := r.index.tables[r.index.number(at)]
	origins := r.index.originsOf(k)
	if len(origins) == 0 {
		origins = c.origins
	}
	return &RewriteError{Image: ref.Normalize(), Source: c.prefix, Location: b.String(), Origins: origins, Err: err}
}

// Resolve returns where ref may be pulled from, which source applies, and what policy
// refuses. [Rules.Explain] also returns the entries that say so. If one mirror makes no
// valid reference of ref, the error is a [*RewriteError], even if other candidates are
// sound. The error for the zero Ref is ErrNoImage.
func (r *Rules) Resolve(ref imageref.Ref) (Resolution, error) {
	if ref.IsZero() {
		return Resolution{}, ErrNoImage
	}
	r = r.orNone()
	res := Resolution{Normalized: ref.Normalize()}
	name, host := ref.Name(), len(ref.Registry())
	for skip := 0; ; skip++ {
		c := r.index.lookupNth(name, host, skip)
		if c == nil {
			break
		}
		if skip == 0 {
			res.Source, res.Inherited = c.prefix, r.inherited(c.prefix)
			if c.dropIn { // no scope reaches it
				continue
			}
			res.InsecureScopes, res.BlockedScopes = r.scopes.insecure.valuesAround(c.prefix), r.scopes.blocked.valuesAround(c.prefix)
		} else {
			res.Losing = append(res.Losing, c.prefix)
		}
	}
	all, err := r.allCandidates(res.Normalized, true)
	if err != nil {
		return res, err
	}
	for _, c := range all {
		if by := r.index.blockedTable(c.Ref); by != nil {
			why := by.blockedBy
			res.Refused = append(res.Refused, Refusal{Ref: c.Ref, Mirror: c.Mirror, By: why.Name, Origin: why.Origin})
		} else {
			res.Candidates = append(res.Candidates, c)
		}
	}
	return res, nil
}

// insecureBy finds what makes an endpoint insecure.
func (r *Rules) insecureBy(at uint32, base imageref.Base) *Scope {
	e := r.index.tables[r.index.number(at)]
	location := base.String()
	for _, m := range e.mirrors {
		if !m.insecure || m.location != location {
			continue
		}
		if e.inherits != "" { // it was judged before it was moved down
			location = strings.TrimSuffix(location, e.prefix[len(e.inherits):])
		}
		return r.insecureScope(e, location, m.origins)
	}
	return r.sourceInsecureBy(e)
}

// sourceInsecureBy finds what makes the source of e insecure.
func (r *Rules) sourceInsecureBy(e *table) *Scope { return r.insecureScope(e, e.prefix, e.origins) }

// insecureScope returns the longest insecure scope that reaches a location of e, or the
// location itself as the entries in origins name it.
func (r *Rules) insecureScope(e *table, location string, origins []string) *Scope {
	by := Scope{Name: location, Origin: strings.Join(origins, ", ")}
	if !e.dropIn {
		r.scopes.insecure.enclosing(location, func(_ string, s Scope) bool {
			by = s
			return false
		})
	}
	return &by
}

// inherited returns the source whose mirrors the table for prefix was given, "" for none.
func (r *Rules) inherited(prefix string) string {
	i, ok := slices.BinarySearchFunc(r.tables, prefix, func(e *table, p string) int { return strings.Compare(e.prefix, p) })
	if !ok {
		return ""
	}
	return r.tables[i].inherits
}
