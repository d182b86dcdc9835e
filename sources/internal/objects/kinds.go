package objects

import (
	"strings"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Kind describes a kind of object that lists mirrors.
type Kind struct {
	Name        string
	APIVersion  string
	List        string // the field of spec that holds the entries
	PolicyField string // the entry's field for the source policy, "" if the kind has none
	Pull        policy.PullBy
}

// The kinds that nodes read (openshift/api operator/v1alpha1 and config/v1) are
// functions, so that nobody can change them.

// ICSP returns the kind ImageContentSourcePolicy, which has no source policy.
func ICSP() Kind {
	return Kind{Name: "ImageContentSourcePolicy", APIVersion: "operator.openshift.io/v1alpha1", List: "repositoryDigestMirrors", Pull: policy.PullDigest}
}

// IDMS returns the kind ImageDigestMirrorSet.
func IDMS() Kind {
	return Kind{Name: "ImageDigestMirrorSet", APIVersion: "config.openshift.io/v1", List: "imageDigestMirrors", PolicyField: "mirrorSourcePolicy", Pull: policy.PullDigest}
}

// ITMS returns the kind ImageTagMirrorSet.
func ITMS() Kind {
	return Kind{Name: "ImageTagMirrorSet", APIVersion: "config.openshift.io/v1", List: "imageTagMirrors", PolicyField: "mirrorSourcePolicy", Pull: policy.PullTag}
}

// Set returns an empty MirrorSet of this kind.
func (k Kind) Set(o Object) MirrorSet {
	o.Kind = k.Name
	return MirrorSet{Object: o, Pull: k.Pull, PolicyField: k.PolicyField}
}

// mirrorKinds returns those above.
func mirrorKinds() [3]Kind { return [3]Kind{ICSP(), IDMS(), ITMS()} }

const (
	imageKind         = "Image"
	imageAPIVersion   = "config.openshift.io/v1"
	versionKind       = "ClusterVersion" // of the same group
	contentPolicyKind = "ImageContentPolicy"
)

func mirrorKind(name string) (Kind, bool) {
	for _, k := range mirrorKinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// misspelt finds the mirror kind that an unknown kind was probably meant to be:
// a few letters off, in the plural, by its abbreviation, or with the words that
// no other kind has.
func misspelt(kind string) (Kind, bool) {
	got := strings.ToLower(kind)
	got = strings.TrimSuffix(got, "list")
	for short, k := range map[string]Kind{"icsp": ICSP(), "idms": IDMS(), "itms": ITMS()} {
		if got == short {
			return k, true
		}
	}
	var nearest Kind
	best := len(got) + 100
	for _, k := range mirrorKinds() {
		if d := editdistance.Levenshtein(got, strings.ToLower(k.Name)); d < best {
			nearest, best = k, d
		}
	}
	telling := strings.Contains(got, "mirrorset") || strings.Contains(got, "contentsource")
	return nearest, best <= 3 || telling
}

// nearest returns the known name closest to got, if it is close enough to be meant: a
// few letters off, or without its first word.
func nearest(got string, known []string) (string, bool) {
	name, best := "", len(got)+1
	for _, k := range known {
		g, k2 := strings.ToLower(got), strings.ToLower(k)
		d := editdistance.Levenshtein(g, k2)
		if len(g) > 5 && (strings.HasSuffix(g, k2) || strings.HasSuffix(k2, g)) {
			d = min(d, 1)
		}
		if d < best {
			name, best = k, d
		}
	}
	return name, best <= max(2, len(name)/3)
}
