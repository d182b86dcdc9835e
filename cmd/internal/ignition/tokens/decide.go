package tokens

import (
	"time"

	"github.com/google/uuid"
)

const (
	// TTL is how long a payload is served after it was stored.
	TTL = 11 * time.Hour
	// RotateAfter is the age at which a token is replaced.
	RotateAfter = TTL / 2
)

// Names of annotations of a token secret.
const (
	// AnnotationToken marks a token secret.
	AnnotationToken = "hypershift.openshift.io/ignition-config"
	// AnnotationGenerated says when the token was made, RFC 3339 with nanoseconds.
	AnnotationGenerated = "hypershift.openshift.io/last-token-generation-time"
	// AnnotationExpires says when to delete the secret, RFC 3339. The secret has it once
	// the node pool does not need it any more.
	AnnotationExpires = "hypershift.openshift.io/ignition-token-expiration-timestamp"
	// AnnotationReached is "True" once a node has fetched the payload.
	AnnotationReached = "hypershift.openshift.io/ignition-reached"
	// AnnotationUpgradeType is the node pool's, see [UpgradeInPlace].
	AnnotationUpgradeType = "hypershift.openshift.io/node-pool-upgrade-type"
	// AnnotationNodePool is the node pool, "namespace/name".
	AnnotationNodePool = "hypershift.openshift.io/nodePool"
)

// Keys of the data of a token secret.
const (
	KeyToken     = "token"
	KeyOldToken  = "old_token"
	KeyRelease   = "release"
	KeyConfig    = "config"
	KeyReason    = "reason"
	KeyMessage   = "message"
	KeyPayload   = "payload"
	KeyOSStream  = "os-stream"
	KeyVersion   = "release-version"
	KeyPullHash  = "pull-secret-hash"
	KeyTrustHash = "additional-trust-bundle-hash"
	KeyHCHash    = "hc-configuration-hash"
	KeyCloudHash = "cloud-config-hash"
)

// UpgradeInPlace is the upgrade type whose payload is written to the secret too.
const UpgradeInPlace = "InPlace"

// State is the part of a token secret that decisions depend on.
type State struct {
	// Deleted says that the secret is gone, or on its way.
	Deleted bool
	// Token and OldToken are the tokens in the secret, "" if it has none.
	Token, OldToken string
	// Generated and Expires are the annotations, unparsed, "" if the secret has none.
	Generated, Expires string
	// CloudConfigHash is that of the cloud config to make the payload with.
	CloudConfigHash string
	// Reason and Message were last written to the secret.
	Reason, Message string
}

// Plan says what to do for a token secret. At most one of Forget, Rotate, Alias and
// Generate is set. After one of the last three was carried out, no new decision is needed
// before RequeueAfter unless the secret changes.
type Plan struct {
	// Forget drops every token of the secret from the store.
	Forget bool
	// Delete deletes the secret, after Forget.
	Delete bool
	// Rotate gives the secret a new token (see [State.Rotated]) and, once that is
	// written, has the store serve the same under it.
	Rotate bool
	// Alias has the store serve under the token what it serves under the old one.
	Alias bool
	// Generate makes a payload and stores it under both tokens.
	Generate bool
	// RequeueAfter is when to decide again; 0 is never.
	RequeueAfter time.Duration
}

// Decide returns what the secret needs at the time now. cached reports whether the
// store has a payload for a token, and the cloud config hash it was made with.
//
// A secret without a token needs nothing: there is nothing to serve it under. An
// expiry that cannot be read counts as passed, and a generation time that cannot be
// read as long ago, as in HyperShift.
func Decide(s State, cached func(token string) (cloudConfigHash string, ok bool), now time.Time) Plan {
	if s.Deleted {
		return Plan{Forget: true}
	}
	remaining := time.Duration(-1) // until the secret expires; less than 0 is never
	if s.Expires != "" {
		expires, err := time.Parse(time.RFC3339, s.Expires)
		if err != nil || !now.Before(expires) {
			return Plan{Forget: true, Delete: true}
		}
		remaining = expires.Sub(now)
	}
	if s.Token == "" {
		return Plan{RequeueAfter: sooner(0, remaining)}
	}
	age, known := s.age(now)
	fits := func(token string) bool {
		hash, ok := cached(token)
		return ok && hash == s.CloudConfigHash
	}
	var p Plan
	next := RotateAfter - age
	switch {
	case fits(s.Token) && (!known || age >= RotateAfter):
		p.Rotate, next = true, RotateAfter
	case fits(s.Token):
	case s.OldToken != "" && fits(s.OldToken):
		p.Alias = true
	default:
		p.Generate = true
	}
	if !known && !p.Rotate || next <= 0 {
		next = soon // it is rotated as soon as there is something to serve
	}
	p.RequeueAfter = sooner(next, remaining)
	return p
}

// soon is a wait that keeps a loop from being busy.
const soon = time.Second

// sooner returns the smaller of a and b. A zero a and a negative b do not count.
func sooner(a, b time.Duration) time.Duration {
	switch {
	case b < 0:
		return a
	case a == 0:
		return b
	}
	return min(a, b)
}

// age returns how long ago the token was made. A time in the future counts as now.
func (s State) age(now time.Time) (age time.Duration, known bool) {
	t, err := time.Parse(time.RFC3339Nano, s.Generated)
	if err != nil {
		return 0, false
	}
	return max(0, now.Sub(t)), true
}

// Rotated returns s with a new token, made now; its token becomes the old one.
func (s State) Rotated(now time.Time) State {
	s.OldToken, s.Token = s.Token, uuid.NewString()
	s.Generated = now.UTC().Format(time.RFC3339Nano)
	return s
}

// Report returns s with that reason and message, and reports whether they differ from
// those in the secret: if not, nothing is to be written (OCPBUGS-42320).
func (s State) Report(reason, message string) (State, bool) {
	changed := s.Reason != reason || s.Message != message
	s.Reason, s.Message = reason, message
	return s, changed
}
