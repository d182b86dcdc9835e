package provider

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Request asks for one image. It is passed by value: a layer that changes it
// changes only what the layers below it see.
type Request struct {
	// Image is what is asked for.
	Image imageref.Ref
	// Platform chooses from an index; zero is linux and the program's own
	// architecture. It is ignored where Image is a plain manifest.
	Platform Platform
	// Credentials are those of this lookup alone; zero is anonymous.
	Credentials Credentials
	// MirrorCredentials are used at mirrors, where the policy names them and Credentials have
	// nothing for the host; see [Request.AtMirror]. No base provider looks at them.
	MirrorCredentials MirrorCredentials
	// Tenant and CredentialOwner say for whom, and with whose credential, one endpoint is
	// asked: [Request.AtMirror] sets them. Tenant is "" where Credentials are the tenant's
	// own. Layers that keep what was read keep it for one Tenant.
	Tenant          string
	CredentialOwner CredentialOwner
	// Rules is the snapshot every layer of this lookup uses. The chain pins it
	// at the start; one already set wins, so that nested chains agree.
	Rules *policy.Rules
	// Insecure allows plain HTTP and an unverified certificate for this request.
	// Mirrors and Images of package chain set it for each candidate, from
	// [policy.Candidate].Insecure, whatever the caller said. A caller that asks a base
	// provider without them sets it as policy says.
	Insecure bool
	// Last says that no other candidate is left. Then the limits of the base provider
	// that choose between mirrors do not apply, and the request may take until the
	// deadline of its context. Without a deadline the limits stay. Mirrors of package
	// chain sets it.
	Last bool
	// Verifier judges the signatures of what is served, nil for nobody. The layer Verify of
	// package chain sets it; one already set wins.
	Verifier Verifier
	// ByPolicy says that a policy put Image where it is: at a mirror, or at a place that
	// replaces the source. It is false where the caller named the place, or only a tenant did. Mirrors and Images
	// of package chain set it, whatever the caller said.
	ByPolicy bool
}

// Validate returns an error if r itself is wrong: an [*Error] of [ClassInvalid]
// that matches [policy.ErrNoImage] or [ErrInvalidPlatform]. Providers call it
// before they ask a registry.
func (r *Request) Validate() error {
	switch p := r.Platform; {
	case r.Image.IsZero():
		return &Error{Class: ClassInvalid, Err: policy.ErrNoImage}
	case !isWord(p.OS), !isWord(p.Architecture), !isWord(p.Variant):
		return &Error{Class: ClassInvalid, Ref: r.Image, Err: platformError(p.String())}
	}
	return nil
}

// Platform names an entry of an image index, in OCI's terms.
type Platform struct {
	OS, Architecture, Variant string // as Go and OCI name them: "linux", "arm", "v7"
}

// ParsePlatform reads "os/architecture[/variant]", or an architecture alone,
// which means linux. The parts are of a-z, A-Z, 0-9 and _ . - (containerd's
// platforms, which has the same form). It does not ask whether anybody builds for
// the platform. Errors match [ErrInvalidPlatform].
func ParsePlatform(s string) (Platform, error) {
	p := strings.Split(s, "/")
	for _, part := range p {
		if part == "" || len(p) > 3 || !isWord(part) {
			return Platform{}, platformError(s)
		}
	}
	switch len(p) {
	case 1:
		return Platform{OS: "linux", Architecture: p[0]}, nil
	case 2:
		return Platform{OS: p[0], Architecture: p[1]}, nil
	}
	return Platform{OS: p[0], Architecture: p[1], Variant: p[2]}, nil
}

// platformError is the text that is no platform.
type platformError string

func (e platformError) Error() string {
	return fmt.Sprintf("platform %q: want ARCHITECTURE or OS/ARCHITECTURE[/VARIANT], for example linux/amd64", string(e))
}

func (platformError) Is(target error) bool { return target == ErrInvalidPlatform }

// isWord reports whether s is of letters, digits and _ . - alone.
func isWord(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// IsZero reports whether no platform is named.
func (p Platform) IsZero() bool { return p == Platform{} }

// OrDefault returns p with linux and the program's own architecture in place of
// what p does not state.
func (p Platform) OrDefault() Platform {
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = runtime.GOARCH
	}
	return p
}

// String returns "os/architecture[/variant]"; "" for the zero Platform.
func (p Platform) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Variant == "":
		return p.OS + "/" + p.Architecture
	}
	return p.OS + "/" + p.Architecture + "/" + p.Variant
}
