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

// choose returns the entry of an index for a platform.
func choose(entries []v1.Descriptor, want provider.Platform) (v1.Descriptor, error) {
	if i := want.Choose(platformDigests(entries)); i >= 0 {
		return entries[i], nil
	}
	return v1.Descriptor{}, fail(provider.ClassNotFound, missingPlatform(entries, want.OrDefault()))
}

func platformDigests(entries []v1.Descriptor) []provider.PlatformDigest {
	out := make([]provider.PlatformDigest, len(entries))
	for i, d := range entries {
		out[i] = provider.PlatformDigest{Platform: platformOf(d), Digest: d.Digest.String()}
	}
	return out
}

func platformOf(d v1.Descriptor) provider.Platform {
	if d.Platform == nil {
		return provider.Platform{}
	}
	return provider.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
}

// platformsOf returns what entries are for, each platform once. Entries that are no
// image, such as attestations, say "unknown".
func platformsOf(entries []v1.Descriptor) []provider.Platform {
	var there []provider.Platform
	for _, d := range entries {
		if p := platformOf(d); p.OS != "" && p.OS != "unknown" && !slices.Contains(there, p) {
			there = append(there, p)
		}
	}
	return there
}

func missingPlatform(entries []v1.Descriptor, want provider.Platform) error {
	var there []string
	for _, p := range platformsOf(entries) {
		there = append(there, p.String())
	}
	if len(there) == 0 {
		return errors.New("the index names no platform")
	}
	return fmt.Errorf("the index has nothing for %s; there is %s", want, wire.CleanText(strings.Join(there, ", ")))
}
