package diff

import (
	"cmp"
	"slices"
	"strings"
)

// Report is what [Compare] finds. It marshals to JSON; lists are never null.
type Report struct {
	// Same is true if nothing changes: not for images, and not for nodes.
	Same    bool     `json:"same"`
	Nodes   Nodes    `json:"nodes"`   // what they do
	Sources []Source `json:"sources"` // those that differ
	// Groups are the images, those together for which the same changes. Images for which
	// nothing changes are one group each for what they have.
	Groups []Group `json:"groups"`
}

// Nodes is what the nodes of a cluster do, all of them in turn.
type Nodes struct {
	Action Action `json:"action"` // the most that one of the reasons leads to
	// Reasons say why. The first one decides about the action.
	Reasons []string `json:"reasons"`
	// Refused says why the machine-config operator renders nothing of the new policies. The
	// nodes then keep what they have until that is mended, and Action is what follows.
	Refused []string `json:"refused"`
}

// Change says how something differs.
type Change string

// Changes.
const (
	Added     Change = "added"
	Removed   Change = "removed"
	Changed   Change = "changed"
	Unchanged Change = "unchanged"
)

// Loss is what an image loses.
type Loss string

// Losses.
const (
	LosesNothing     Loss = ""              // or it had nothing before
	LosesLastMirror  Loss = "last-mirror"   // only its source is left, which it fell back to before
	LosesAllEndpoint Loss = "last-endpoint" // nothing is left to pull it from
)

// Source is a source that one of the sides names, or a scope.
type Source struct {
	Source string `json:"source"` // as rules name it; " (rewrite)" follows that of a Rewrite rule
	Change Change `json:"change"` // never Unchanged
	// Digests and Tags are where an image below the source is pulled from. Both are
	// always set.
	Digests Endpoints `json:"digests"`
	Tags    Endpoints `json:"tags"`
}

// Group is images for which the same changes.
type Group struct {
	Change Change `json:"change"` // Changed or Unchanged
	Endpoints
	// Images are their names, or where they have none their references.
	Images []string `json:"images"`
}

// Endpoints are where an image is pulled from, in order, on either side.
type Endpoints struct {
	Before []Endpoint `json:"before"` // empty for nowhere
	After  []Endpoint `json:"after"`  // the same
	// Error says why an image cannot be pulled at all afterwards, although the policy
	// names endpoints: a mirror that makes no reference.
	Error string `json:"error"`
	Loss  Loss   `json:"loss"` // what the image loses
}

// Endpoint is a registry, a namespace or a repository in which an image is looked for: a
// mirror as the policy names it, or the registry of the image.
type Endpoint struct {
	Location string `json:"location"` // without what is the same for all images of a source
	Mirror   bool   `json:"mirror"`   // false for the source itself
	Insecure bool   `json:"insecure"` // plain HTTP or any certificate will do
}

// List returns endpoints in words, in their order, and none where there are none.
func List(endpoints []Endpoint, none string) string {
	var all []string
	for _, e := range endpoints {
		s := e.Location
		if !e.Mirror {
			s += " itself"
		}
		if e.Insecure {
			s += " (insecure)"
		}
		all = append(all, s)
	}
	return cmp.Or(strings.Join(all, ", "), none)
}

// Loses reports whether an image loses what l says, or more. Where no image was compared,
// it is about any image below the sources.
func (r *Report) Loses(l Loss) bool {
	found := func(e Endpoints) bool { return e.Loss == l || e.Loss == LosesAllEndpoint && l != LosesNothing }
	if len(r.Groups) > 0 {
		return slices.ContainsFunc(r.Groups, func(g Group) bool { return found(g.Endpoints) })
	}
	return slices.ContainsFunc(r.Sources, func(s Source) bool { return found(s.Digests) || found(s.Tags) })
}
