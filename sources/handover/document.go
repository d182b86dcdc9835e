package handover

// Kind and version are what every document states first. A version is one meaning:
// whatever changes an answer about any image needs the next one.
const (
	// Kind is the kind of every document.
	Kind    = "MirrorchainOverrides"
	version = 1
)

// document is what is written, its fields in this order.
type document struct {
	Kind       string     `json:"kind"`
	Version    int        `json:"version"`
	Registries []registry `json:"registries,omitempty"`
	Rewrites   []rewrite  `json:"rewrites,omitempty"`
	Insecure   []scope    `json:"insecure-registries,omitempty"`
	Blocked    []scope    `json:"blocked-registries,omitempty"`
}

type registry struct {
	Prefix     string   `json:"prefix"`
	Location   string   `json:"location,omitempty"`
	Insecure   bool     `json:"insecure,omitempty"`
	Blocked    bool     `json:"blocked,omitempty"`
	DigestOnly bool     `json:"mirror-by-digest-only,omitempty"`
	Mirrors    []mirror `json:"mirrors,omitempty"`
	Origins    []string `json:"origins,omitempty"`
	BlockedBy  scope    `json:"blocked-by,omitzero"`
	DropIn     bool     `json:"drop-in,omitempty"`
	ScopeOnly  bool     `json:"scope-only,omitempty"`
	Inherited  string   `json:"inherited-from,omitempty"`
}

type mirror struct {
	Location string   `json:"location"`
	Insecure bool     `json:"insecure,omitempty"`
	Pull     string   `json:"pull-from-mirror,omitempty"`
	Origins  []string `json:"origins,omitzero"` // absent: the registry's; empty: none
	ByTenant bool     `json:"x-by-tenant,omitempty"`
}

type rewrite struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Origin string `json:"origin,omitempty"`
}

type scope struct {
	Scope  string `json:"scope"`
	Origin string `json:"origin,omitempty"`
}

// Values of pull-from-mirror in containers-registries.conf(5).
const (
	pullAll    = "all"
	pullDigest = "digest-only"
	pullTag    = "tag-only"
)
