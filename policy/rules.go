package policy

import (
	"errors"
	"slices"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ErrNoImage says that a reference is zero: there is nothing to look up.
var ErrNoImage = errors.New("the request names no image")

// RulesConfig chooses how [NewRules] reads policies. The zero value is what nodes do.
type RulesConfig struct {
	// Strict refuses what the machine-config operator refuses to render, and objects that
	// carry policy which is not read ([WarnNotRead]).
	Strict bool
	// TagsFollowDigestRules lets digest rules (ICSP, IDMS) serve tags too, as
	// HyperShift's release lookups do.
	TagsFollowDigestRules bool
}

// Rules are all policies in force, merged. They are immutable and safe to share;
// all methods may be called on one value from many goroutines.
//
// The zero Rules stand for no policies: every reference is its own and only candidate. The
// methods treat a nil *Rules the same way. In package chain nil means something else: the
// policies have not been read yet.
type Rules struct {
	version      string
	index        *index
	tables       []*table // for Policy; lookups have the index
	rewrites     rewrites
	insecure     []Scope
	blocked      []Scope
	stated       []Entry                                     // what the merged rules come from
	blockedHosts blockedHosts                                // what a registry may not lead to
	scopes       struct{ insecure, blocked scopeMap[Scope] } // the same, by name
	warnings     []Warning
}

// Candidate is a reference at which an image may be read, with what the policies say of
// it.
type Candidate struct {
	Ref      imageref.Ref // the image there
	Mirror   bool         // false for the source itself
	Insecure bool         // plain HTTP or any certificate will do
	// ByTenant says that only a tenant names the mirror. Such a mirror is like a registry that
	// the tenant names in a reference: the program gives it no more trust.
	ByTenant bool
	// InsecureBy names the insecure scope, or the location itself and the table of
	// registries.conf that calls it insecure. It is nil if Insecure is false, and always
	// in the answers of Candidates: only Resolve and Explain set it.
	InsecureBy *Scope
	// Origins are the entries that name it. The source has origins only if the location of
	// a table, or a Rewrite rule, replaces it. Shared: do not modify.
	Origins []string
}

// Resolution is what the rules say about one reference.
type Resolution struct {
	Normalized imageref.Ref // what was looked up, as [imageref.Ref.Normalize] has it
	// Source is the source that applies, "" if none matches.
	Source string
	// Candidates in the order they are tried. The source may stand in the middle
	// or be absent.
	Candidates []Candidate
	// Refused are references that would be candidates if policy did not block them.
	Refused []Refusal
	// Losing are the other sources that match, longest first. They do not apply, with two
	// exceptions: Source may inherit mirrors from one of them, and scopes that are
	// insecure or blocked reach into Source.
	Losing []string
	// Inherited is the source that Source inherits its mirrors from; "" if it has mirrors
	// of its own, or none. On nodes an entry without mirrors inherits those of an
	// enclosing entry, with the rest of its path appended. Insecure and blocked scopes make
	// such entries.
	Inherited string
	// InsecureScopes and BlockedScopes are those that Source lies in, itself among
	// them, longest first, wildcards last.
	InsecureScopes, BlockedScopes []Scope
}

// Refusal is a reference that would be a candidate if policy did not block it.
type Refusal struct {
	Ref    imageref.Ref // the image there
	Mirror bool         // false for the source itself
	By     string       // the scope that blocks it
	Origin string       // where that scope comes from
}

// NewRules merges policies. It fails if no node would load them, and in strict mode also if
// the machine-config operator refuses to render them. The error is an [*InvalidPolicyError]
// that names the entry; several of them are joined.
//
// The order of policies matters only where tables of registries.conf share a prefix.
// The first table counts, with its mirrors, its location and whether it is insecure.
// The others are dropped with a warning (WarnDuplicateTable), but their
// NeverContactSource (blocked) stays in force: no order of policies makes a forbidden
// source reachable. On a node there is only one registries.conf, so nodes have no rule
// for this. The drop-ins of one registries.conf are merged by the [OverrideSource] that
// reads them.
func NewRules(cfg RulesConfig, policies ...Policy) (*Rules, error) {
	s := sortRules(policies)
	if cfg.Strict {
		if err := joinProblems(append(validate(s), notRead(policies)...)); err != nil {
			return nil, err
		}
	}
	s.dropPayloadScopes(cfg, policies)
	t, sets, err := mergeObjects(cfg, s)
	if err != nil {
		return nil, err
	}
	entries, err := t.load()
	if err != nil {
		return nil, err
	}
	withDropIns := newConf(cfg, s.dropIns, 0)
	dropIns, err := withDropIns.load()
	if err != nil {
		return nil, err
	}
	t.dropped = append(t.dropped, withDropIns.dropped...)
	entries, replaced := override(entries, dropIns)
	r := &Rules{tables: entries, insecure: uniqueNames(s.insecure), blocked: uniqueNames(s.blocked)}
	if r.rewrites, err = newRewrites(s.rewrite); err != nil {
		return nil, err
	}
	if r.index, err = newIndex(entries); err != nil {
		return nil, err
	}
	r.stated = statedEntries(policies)
	if r.blockedHosts, err = newBlockedHosts(entries); err != nil {
		return nil, err
	}
	r.scopes.insecure, r.scopes.blocked = scopeSet(r.insecure), scopeSet(r.blocked)
	r.version = versionOf(entries, r.rewrites)
	r.warnings = warningsOf(s, t, sets, entries, replaced, r.rewrites, r.index)
	return r, nil
}

// uniqueNames keeps the first of equal names. scopes are sorted.
func uniqueNames(scopes []Scope) []Scope {
	out := slices.CompactFunc(slices.Clone(scopes), func(a, b Scope) bool { return a.Name == b.Name })
	for i := range out {
		out[i].FromExport = false // a matter of what they were read from
	}
	return out
}

// Version returns a hash of all that lookups depend on. The same rules have the same
// version in any process, whatever objects and files they come from.
func (r *Rules) Version() string { return r.orNone().version }

// Warnings returns what is legal and surprising about the policies, sorted.
func (r *Rules) Warnings() []Warning { return slices.Clone(r.orNone().warnings) }

// Insecure returns the scopes whose endpoints may be plain HTTP or unverified, sorted.
func (r *Rules) Insecure() []Scope { return slices.Clone(r.orNone().insecure) }

// Blocked returns the scopes that nothing may be pulled from, sorted.
// NeverContactSource is not among them: it does not reach into more specific
// sources.
func (r *Rules) Blocked() []Scope { return slices.Clone(r.orNone().blocked) }
