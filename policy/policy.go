package policy

import (
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Policy is what one [OverrideSource] states, as its objects state it: nothing is
// merged, sorted or dropped yet.
type Policy struct {
	// Rules in the order of the objects and their entries.
	Rules []Rule
	// Insecure and Blocked are scopes in the sense of
	// image.config.openshift.io/cluster spec.registrySources: they propagate to
	// everything nested in them.
	Insecure, Blocked []Scope
	// Allowed and Search are for tools that check policies. Rules do not use them. Allowed
	// are registrySources.allowedRegistries. Search are the registries in which short names
	// are looked up: those with an Object are of an image configuration
	// (containerRuntimeSearchRegistries), the others are unqualified-search-registries of
	// a registries.conf that is no drop-in.
	Allowed, Search []Scope
	// Clusters are the clusters whose own policies these are, if the OverrideSource knows
	// them. Policies of two clusters are never in force together, see WarnSeveralClusters.
	Clusters []Cluster
	// Payloads are the release images that the clusters of these policies run. Nodes drop a
	// scope of Blocked that one of them lies in, unless a mirror is left for it:
	// see WarnBlockedPayload.
	Payloads []Payload
	// Catalogs are the images of operator catalogs that stand beside the policies. They are
	// for tools that check policies. Rules do not use them.
	Catalogs []Payload
	// Skipped are objects that were read and are no policies.
	Skipped []SkippedObject
	// Warnings are those that only the OverrideSource can see, such as a misspelt kind.
	Warnings []Warning
}

// RuleKind says what a rule changes.
type RuleKind uint8

const (
	// KindMirror rules say where to pull from. The references in results, such as the
	// components of a release, stay canonical, because nodes apply the same rules again.
	KindMirror RuleKind = iota
	// KindRewrite rules (--registry-overrides) replace the source in results too, for
	// clusters whose container runtime applies no mirrors.
	KindRewrite
)

// PullBy says which references a rule's mirrors serve.
type PullBy uint8

const (
	// PullDigest serves references with a digest (ICSP, IDMS). It is the zero value
	// because it is safe: a digest names the same content at every registry.
	PullDigest PullBy = iota
	// PullTag serves references with a tag and no digest (ITMS).
	PullTag
	// PullAny serves both (the env var, flags, registries.conf).
	PullAny
)

// String returns "digest", "tag" or "any".
func (p PullBy) String() string {
	switch p {
	case PullDigest:
		return "digest"
	case PullTag:
		return "tag"
	}
	return "any"
}

// Rule is one entry of one policy object, as that object states it.
type Rule struct {
	Kind RuleKind // what it changes
	// Source is a registry, a namespace, a repository, or a wildcard:
	// "quay.io", "quay.io/openshift-release-dev", "*.redhat.io".
	Source string
	// Mirrors in the admin's order. A KindRewrite rule has exactly one.
	Mirrors []Mirror
	Pull    PullBy
	// NeverContactSource is mirrorSourcePolicy: NeverContactSource, or blocked in
	// registries.conf.
	NeverContactSource bool
	// ConfTable marks a [[registry]] table of registries.conf. Its mirrors keep the order
	// in which they are written, and it counts even without mirrors. For several tables
	// of one source see [NewRules].
	ConfTable bool
	// DropIn marks a table of a drop-in (registries.conf.d): it replaces the whole table
	// of its source. This is the last step of the merge: before it, API objects have edited
	// the tables of registries.conf, and nested sources have inherited mirrors. ConfTable
	// only.
	DropIn bool
	// Location is another place that the source itself is pulled from (location beside
	// prefix in registries.conf); "" if there is none. A Location that repeats a wildcard
	// is kept, since nodes cannot pull from there. ConfTable only.
	Location string
	// DigestOnly is mirror-by-digest-only of the table: all its mirrors are PullDigest.
	// Nodes refuse to add the mirrors of API objects to it, because those have a
	// restriction of their own. ConfTable only.
	DigestOnly bool
	// Insecure says that the source itself is insecure. ConfTable only; for other rules
	// the scopes in Policy.Insecure say so.
	Insecure bool
	// Origin points at the entry: "imagedigestmirrorset/idms-release-0#2",
	// "file:policies.yaml:14". It appears in explanations, warnings and errors.
	Origin string
	// Object is the object that states the rule. It is nil if no object does, as for a
	// table of registries.conf. All rules of one object share it: do not modify.
	Object *Object
	// FromExport marks a rule of [Rules.Policy], which has been merged before. It is a
	// ConfTable, or a Rewrite rule.
	FromExport bool
	// Provenance names the entries that a rule FromExport was merged from.
	Provenance Provenance
}

// Mirror is one mirror of a rule.
type Mirror struct {
	Location string // a registry, a namespace or a repository
	Insecure bool   // plain HTTP or any certificate will do; of registries.conf only
	// ByTenant says that a tenant names the mirror, such as the owner of a HostedCluster,
	// and not the administrator of the program. See [Candidate].ByTenant.
	ByTenant bool
}

// Scope is a registry, a namespace, a repository or a wildcard that policy calls
// insecure or blocked.
type Scope struct {
	Name   string // "quay.io", "quay.io/openshift-release-dev", "*.redhat.io"
	Origin string // as [Rule.Origin]
	// Object is as [Rule.Object]. Merged rules do not keep it.
	Object *Object
	// FromExport marks a scope of [Rules.Policy]. The exported rules include its table and
	// what it makes insecure.
	FromExport bool
}

// Object is an object that states policy. Tools that convert policies need it.
type Object struct {
	// Kind is the kind in the API, such as "ImageDigestMirrorSet". A list that is no object
	// of the API has its own name: "install-config", "imageContentSources".
	Kind, Name          string
	Labels, Annotations map[string]string
}

// String returns the object as kubectl names it, "imagedigestmirrorset/idms-release-0".
func (o *Object) String() string {
	if o.Name == "" {
		return strings.ToLower(o.Kind)
	}
	return strings.ToLower(o.Kind) + "/" + o.Name
}

// Cluster is a cluster whose own policies are among the policies, such as a HostedCluster.
type Cluster struct {
	Name   string // "NAMESPACE/NAME", or the name of an installation
	Origin string // of its first policy, as [Rule.Origin]
}

// Payload is an image that a cluster runs: its release, or a catalog.
type Payload struct {
	Image  imageref.Ref
	Origin string // where it is stated, as [Rule.Origin]
}

// SkippedObject names an object that was read and is no policy.
type SkippedObject struct {
	Kind, Name string // "" where the object has none
	Origin     string // where it is, as [Rule.Origin]
}

// Warning says that policies contain something that is legal and may surprise.
type Warning struct {
	// Code is stable, for programs: see the Warn constants.
	Code string
	// Origins are the entries concerned, as in [Rule.Origin].
	Origins []string
	// Message says what happens, and what to do.
	Message string
}

// Codes of [Warning].
const (
	WarnSourceFirst       = "source-first"          // conflicting orders put the source before its mirrors
	WarnNeverNoMirrors    = "never-without-mirrors" // NeverContactSource without a mirror does nothing
	WarnNeverHidden       = "never-hidden"          // a more specific entry makes a forbidden source reachable again
	WarnTagHidesDigest    = "tag-hides-digest"      // a tag-only entry hides its parent's digest mirrors
	WarnStrictConflict    = "strict-conflict"       // the machine-config operator would refuse this set
	WarnUnparsableRewrite = "unparsable-rewrite"    // the mirror makes no valid reference of any image
	WarnMisspeltKind      = "misspelt-kind"         // an unknown kind whose name is close to that of a policy kind
	WarnObjectRefused     = "object-refused"        // the API server refuses an object with such metadata or such a spec
	WarnNoRules           = "no-rules"              // a document that yields no rule
	WarnNotEnforced       = "not-enforced"          // a field that this module does not enforce
	WarnNotRead           = "not-read"              // an object carries policy in a form that is not read, or a link leads nowhere
	WarnKindAbsent        = "kind-absent"           // the cluster does not have this kind of policy
	WarnIgnoredKey        = "ignored-key"           // a key of a registries.conf that nodes do not know
	WarnDuplicateTable    = "duplicate-table"       // a second registries.conf table for one prefix is dropped
	WarnDropInReplaces    = "drop-in-replaces"      // a drop-in replaces what API objects say about a source
	WarnOddScope          = "odd-scope"             // a scope or a source that covers less than it seems to
	WarnDeadScope         = "dead-scope"            // a scope or a source that no image can lie in
	WarnSeveralClusters   = "several-clusters"      // policies of several clusters are merged: no cluster has such policies
	WarnBlockedPayload    = "blocked-payload"       // a blocked scope is dropped: the cluster's own release lies in it
)

// IsGeneral reports whether w is to be shown for every image. Such a warning concerns all
// images, or none at all, like that of a scope that matches no image.
func (w Warning) IsGeneral() bool {
	switch w.Code {
	case WarnStrictConflict, WarnNoRules, WarnMisspeltKind, WarnObjectRefused, WarnNotEnforced, WarnNotRead, WarnIgnoredKey, WarnKindAbsent, WarnDeadScope, WarnSeveralClusters, WarnBlockedPayload:
		return true
	}
	return false
}

// InvalidPolicyError says that a policy is wrong and has to be edited: waiting does not
// help. A program that follows policies keeps the rules that it has.
type InvalidPolicyError struct {
	Origin string // file, object and entry
	Err    error  // what is wrong and what to do
	// RefusedByAPI says that the API server refuses such an object too. It is false if
	// this is not known.
	RefusedByAPI bool
}

func (e *InvalidPolicyError) Error() string {
	if e.Origin == "" {
		return "invalid policy: " + e.Err.Error()
	}
	return fmt.Sprintf("invalid policy %s: %v", e.Origin, e.Err)
}

func (e *InvalidPolicyError) Unwrap() error { return e.Err }

// invalidEntries returns an InvalidPolicyError about entries.
func invalidEntries(origins []string, format string, args ...any) *InvalidPolicyError {
	return &InvalidPolicyError{Origin: strings.Join(origins, ", "), Err: fmt.Errorf(format, args...)}
}

// distinct returns origins in their order, each once.
func distinct(origins []string) []string {
	out := make([]string, 0, len(origins))
	seen := make(map[string]bool, len(origins))
	for _, o := range origins {
		if o != "" && !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	}
	return out
}
