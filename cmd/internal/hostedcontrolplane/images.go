package hostedcontrolplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ComponentOperator is the name under which components find the image of the
// control plane operator, the one of the ignition server too.
const ComponentOperator = "controlplane-operator"

// OperatorImages are the images that the operator was started with, in its
// environment. Operator is required; the others are Operator where they are zero.
type OperatorImages struct {
	Operator           imageref.Ref // CONTROL_PLANE_OPERATOR_IMAGE
	ConfigOperator     imageref.Ref // HOSTED_CLUSTER_CONFIG_OPERATOR_IMAGE
	Socks5Proxy        imageref.Ref // SOCKS5_PROXY_IMAGE
	AvailabilityProber imageref.Ref // AVAILABILITY_PROBER_IMAGE
	TokenMinter        imageref.Ref // TOKEN_MINTER_IMAGE
}

// Components returns the images of components that are no part of a release, by component
// name. Those in overrides go first.
func (i OperatorImages) Components(overrides map[string]imageref.Ref) map[string]imageref.Ref {
	images := map[string]imageref.Ref{
		ComponentOperator:                i.Operator,
		"hosted-cluster-config-operator": i.ConfigOperator,
		"socks5-proxy":                   i.Socks5Proxy,
		"availability-prober":            i.AvailabilityProber,
		"token-minter":                   i.TokenMinter,
		"controlplane-pki-operator":      imageref.Ref{},
	}
	for name, ref := range images {
		if ref.IsZero() {
			images[name] = i.Operator
		}
	}
	maps.Copy(images, overrides)
	return images
}

// overridden returns the names in overrides that are none of [OperatorImages], and so have
// to be components of the release. Sorted.
func overridden(overrides map[string]imageref.Ref) []string {
	names := slices.Sorted(maps.Keys(overrides))
	own := OperatorImages{}.Components(nil)
	return slices.DeleteFunc(names, func(name string) bool { _, ok := own[name]; return ok })
}

// ImageOverrides reads the value of --image-overrides, "name=image" pairs joined
// with commas: the images to use for components whatever a release says. The last
// pair of a name counts, nothing is trimmed, and "" and "=" are none.
//
// A pair without a "=", a name or an image is skipped with a warning, as in HyperShift; so
// is one whose image is no reference, which could never be pulled.
func ImageOverrides(value string) (images map[string]imageref.Ref, warnings []string) {
	images = map[string]imageref.Ref{}
	n := 0
	for text := range strings.SplitSeq(value, ",") {
		n++
		name, image, pair := strings.Cut(text, "=")
		switch {
		case text == "" || text == "=":
		case !pair:
			warnings = append(warnings, fmt.Sprintf("--image-overrides: pair %d, %q, has no '=' and is skipped; write name=image", n, text))
		case name == "":
			warnings = append(warnings, fmt.Sprintf("--image-overrides: pair %d, %q, names no component and is skipped; write name=image", n, text))
		case image == "":
			warnings = append(warnings, fmt.Sprintf("--image-overrides: pair %d, %q, names no image and is skipped; write name=image", n, text))
		default:
			ref, err := imageref.Parse(image)
			if err != nil {
				warnings = append(warnings, fmt.Sprintf("--image-overrides: pair %d, %q, names no image that could be pulled and is skipped: %v", n, text, err))
				continue
			}
			images[name] = ref
		}
	}
	return images, warnings
}
