package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// choose returns the entry of an index for a platform. Operating system, architecture
// and variant are compared, each on its own. Without a variant wanted, an entry
// without one comes before the first that has one, as oc's filter by os/arch
// would take it.
func choose(entries []v1.Descriptor, want provider.Platform) (v1.Descriptor, error) {
	want = want.OrDefault()
	best := -1
	for i, d := range entries {
		have := platformOf(d)
		if d.Platform == nil || have.OS != want.OS || have.Architecture != want.Architecture {
			continue
		}
		switch haveVariant := variant(have); {
		case want.Variant != "" && haveVariant == variant(want):
			return d, nil
		case want.Variant != "":
		case haveVariant == "":
			return d, nil
		case best < 0:
			best = i
		}
	}
	if best >= 0 {
		return entries[best], nil
	}
	return v1.Descriptor{}, fail(provider.ClassNotFound, missingPlatform(entries, want))
}

// variant is normalized: arm64 is v8 and has been nothing else (OCI
// image-index.md, "Platform Variants").
func variant(p provider.Platform) string {
	if p.Architecture == "arm64" && p.Variant == "v8" {
		return ""
	}
	return p.Variant
}

func platformOf(d v1.Descriptor) provider.Platform {
	if d.Platform == nil {
		return provider.Platform{}
	}
	return provider.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
}

func missingPlatform(entries []v1.Descriptor, want provider.Platform) error {
	var there []string
	for _, d := range entries {
		if p := platformOf(d); p.OS != "" && p.OS != "unknown" && !slices.Contains(there, p.String()) {
			there = append(there, p.String())
		}
	}
	if len(there) == 0 {
		return errors.New("the index names no platform")
	}
	return fmt.Errorf("the index has nothing for %s; there is %s", want, wire.CleanText(strings.Join(there, ", ")))
}
