package provider

import (
	"fmt"
	"runtime"
	"strings"

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
	// Rules is the snapshot every layer of this lookup uses. The chain pins it
	// at the start; one already set wins, so that nested chains agree.
	Rules *Rules
	// Insecure allows plain HTTP and an unverified certificate for this
	// endpoint. It is set per candidate, from policy, never by guessing.
	Insecure bool
}

// Platform names an entry of an image index, in OCI's terms.
type Platform struct {
	OS, Architecture, Variant string
}

// ParsePlatform reads "os/architecture[/variant]", or an architecture alone,
// which means linux.
func ParsePlatform(s string) (Platform, error) {
	p := strings.Split(s, "/")
	for _, part := range p {
		if part == "" || len(p) > 3 {
			return Platform{}, fmt.Errorf("platform %q: want ARCHITECTURE or OS/ARCHITECTURE[/VARIANT], for example linux/amd64", s)
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

// IsZero reports whether no platform is named.
func (p Platform) IsZero() bool { return p == Platform{} }

// OrDefault fills in linux and the program's own architecture.
func (p Platform) OrDefault() Platform {
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = runtime.GOARCH
	}
	return p
}

// String is "os/architecture[/variant]", "" for the zero Platform.
func (p Platform) String() string {
	switch {
	case p.IsZero():
		return ""
	case p.Variant == "":
		return p.OS + "/" + p.Architecture
	}
	return p.OS + "/" + p.Architecture + "/" + p.Variant
}
