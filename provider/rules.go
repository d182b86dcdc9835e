package provider

import (
	"errors"
	"iter"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// RulesConfig chooses between readings of the same policies. The zero value is
// what nodes do.
type RulesConfig struct {
	// Strict refuses what the machine-config operator refuses to render.
	Strict bool
	// TagsFollowDigestRules lets digest rules (ICSP, IDMS) serve tags too, as
	// HyperShift's release lookups do.
	TagsFollowDigestRules bool
}

// Rules are all policies in force, merged. They are immutable and safe to share;
// all methods may be called on one value from many goroutines.
type Rules struct{ version string }

// Candidate is an endpoint that an image may be pulled from.
type Candidate struct {
	Ref      imageref.Ref
	Mirror   bool // false for the source itself
	Insecure bool
	// Origins are the entries that named it. Shared: do not modify.
	Origins []string
}

// Resolution is what the rules say about one reference.
type Resolution struct {
	Normalized imageref.Ref
	// Source is the policy source that won, "" if none matched.
	Source string
	// Candidates in the order they are tried. The source may stand in the middle
	// or be absent.
	Candidates []Candidate
	// Refused are endpoints that would have been candidates and that policy blocks.
	Refused []Refusal
	// Losing are sources that match too and are less specific, longest first.
	Losing []string
}

// Refusal is an endpoint that policy blocks.
type Refusal struct {
	Ref    imageref.Ref
	Mirror bool
	By     string // the scope that blocks it
	Origin string // where that scope comes from
}

// MergedSource is one source of merged Mirror rules, or one Rewrite rule, for
// handing rules on.
type MergedSource struct {
	Kind   Kind
	Source string
	// DigestMirrors and TagMirrors in the order they are tried. A Rewrite rule has
	// its one target in both.
	DigestMirrors, TagMirrors []Mirror
	NeverContactSource        bool
}

var errUnwritten = errors.New("unwritten")

// NewRules merges policies. It fails, naming the entry, for what no node would
// accept; in strict mode for what the machine-config operator refuses as well.
func NewRules(cfg RulesConfig, policies ...Policy) (*Rules, error) { return nil, errUnwritten }

// Version is a hash of what matters to lookups: the same rules have the same
// version in any process.
func (r *Rules) Version() string { return r.version }

// Resolve says where ref may be pulled from, and why.
func (r *Rules) Resolve(ref imageref.Ref) (Resolution, error) { return Resolution{}, errUnwritten }

// Candidates are Resolve's, without the explanation: the hot path.
func (r *Rules) Candidates(ref imageref.Ref) ([]Candidate, error) { return nil, errUnwritten }

// Rewrite applies Rewrite rules to ref, once.
func (r *Rules) Rewrite(ref imageref.Ref) imageref.Ref { return ref }

// Warnings are things legal and surprising about the policies.
func (r *Rules) Warnings() []Warning { return nil }

// Merged are the sources as merged, sorted by kind and source.
func (r *Rules) Merged() iter.Seq[MergedSource] { return func(func(MergedSource) bool) {} }

// Insecure are the scopes whose endpoints may be plain HTTP or unverified, sorted.
func (r *Rules) Insecure() []Scope { return nil }

// Blocked are the scopes that nothing may be pulled from, sorted.
func (r *Rules) Blocked() []Scope { return nil }
