package diff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Image is an image to compare, such as a component of a release.
type Image struct {
	Name string // for the report; "" is the reference
	Ref  imageref.Ref
}

// Compare compares two sides, for the images given and for each source that a side names.
func Compare(old, updated Side, images ...Image) *Report {
	r := &Report{Sources: []Source{}, Groups: []Group{}, Nodes: nodes(old, updated)}
	c := comparison{old.rules, updated.rules}
	was, is := named(old), named(updated)
	all := maps.Clone(was)
	maps.Copy(all, is)
	for _, source := range slices.Sorted(maps.Keys(all)) {
		r.addSource(c, source, was[source], is[source])
	}
	groups := make(map[string]*Group)
	var order []string
	for _, image := range images {
		e := c.endpoints(image.Ref)
		key := fmt.Sprintf("%v", e)
		g := groups[key]
		if g == nil {
			g = &Group{Change: changeOf(e), Endpoints: e}
			groups[key] = g
			order = append(order, key)
		}
		g.Images = append(g.Images, cmp.Or(image.Name, image.Ref.String()))
	}
	for _, key := range order {
		r.Groups = append(r.Groups, *groups[key])
	}
	slices.SortStableFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(severity(a.Endpoints), severity(b.Endpoints)), cmp.Compare(len(b.Images), len(a.Images)))
	})
	r.Same = old.rules.Version() == updated.rules.Version() && r.Nodes.Action == Nothing
	return r
}

// severity sorts what is lost first, and what stays last.
func severity(e Endpoints) int {
	switch {
	case e.Loss == LosesAllEndpoint:
		return 0
	case e.Loss == LosesLastMirror:
		return 1
	case changeOf(e) == Changed:
		return 2
	}
	return 3
}

// named returns the sources and scopes of a side, and for each what its table says.
func named(s Side) map[string][]policy.Rule {
	m := make(map[string][]policy.Rule)
	for _, r := range s.rules.Policy().Rules {
		key := r.Source
		if r.Kind == policy.KindRewrite {
			key += " (rewrite)"
		}
		m[key] = append(m[key], r)
	}
	return m
}

// addSource adds what differs for a source.
func (r *Report) addSource(c comparison, source string, was, is []policy.Rule) {
	if slices.EqualFunc(was, is, func(a, b policy.Rule) bool { return sameTable(a, b) && a.Kind == b.Kind }) {
		return
	}
	s := Source{Source: source, Change: Changed}
	switch {
	case len(was) == 0:
		s.Change = Added
	case len(is) == 0:
		s.Change = Removed
	}
	repository := strings.TrimSuffix(source, " (rewrite)")
	if rest, ok := strings.CutPrefix(repository, "*."); ok {
		repository = "any." + rest
	}
	s.Digests, s.Tags = c.below(repository, "@sha256:"+strings.Repeat("0", 64)), c.below(repository, ":any")
	r.Sources = append(r.Sources, s)
}

// below returns where an image below a repository is pulled from, and where one in it is if
// only that differs: a mirror that is a bare host makes no reference of it.
func (c comparison) below(repository, suffix string) Endpoints {
	e := Endpoints{Before: []Endpoint{}, After: []Endpoint{}} // where no image can lie in it
	for _, name := range []string{repository, repository + "/image"} {
		ref, err := imageref.Parse(name + suffix)
		if err != nil || !strings.HasPrefix(ref.Name(), repository) {
			continue
		}
		if at := c.endpoints(ref); changeOf(e) == Unchanged || changeOf(at) == Changed {
			e = at
		}
	}
	return e
}

// comparison asks both sides.
type comparison struct{ old, updated *policy.Rules }

func (c comparison) endpoints(ref imageref.Ref) Endpoints {
	was, before, _ := endpointsOf(c.old, ref)
	is, after, err := endpointsOf(c.updated, ref)
	if slices.EqualFunc(was, is, sameCandidate) {
		after = before // however the sources are cut
	}
	e := Endpoints{Before: before, After: after}
	if err != nil {
		e.Error = err.Error()
	}
	isMirror := func(e Endpoint) bool { return e.Mirror }
	switch {
	case len(before) > 0 && len(after) == 0:
		e.Loss = LosesAllEndpoint
	case slices.ContainsFunc(before, isMirror) && !slices.ContainsFunc(after, isMirror):
		e.Loss = LosesLastMirror
	}
	return e
}

func sameCandidate(a, b policy.Candidate) bool {
	return a.Ref == b.Ref && a.Mirror == b.Mirror && a.Insecure == b.Insecure
}

// endpointsOf returns where rules look for an image: the candidates, and their locations
// without the part of the name that is the same everywhere.
func endpointsOf(rules *policy.Rules, ref imageref.Ref) ([]policy.Candidate, []Endpoint, error) {
	res, err := rules.Resolve(ref)
	out := []Endpoint{}
	if err != nil {
		return nil, out, err
	}
	tail := "" // of the name, behind the source
	if name := res.Normalized.Name(); strings.HasPrefix(name, res.Source) && res.Source != "" {
		tail = name[len(res.Source):]
	} else if res.Source != "" { // a wildcard, for the host
		tail = name[len(res.Normalized.Registry()):]
	}
	for _, c := range res.Candidates {
		location := c.Ref.Name()
		if cut, ok := strings.CutSuffix(location, tail); ok && cut != "" {
			location = cut
		}
		if !c.Mirror && c.Ref == res.Normalized {
			location = res.Normalized.Registry()
		}
		out = append(out, Endpoint{location, c.Mirror, c.Insecure})
	}
	return res.Candidates, out, nil
}

func changeOf(e Endpoints) Change {
	if slices.Equal(e.Before, e.After) {
		return Unchanged
	}
	return Changed
}
