package kube

import (
	"cmp"
	"slices"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// Kind is a kind of object and what its objects mean.
type Kind struct {
	scheme, help string
	resource     schema.GroupVersionResource
	only         string // the one object that counts; empty means all of them
	list         func() runtime.Object
	convert      func(runtime.Object) (policy.Policy, error)
	payload      bool // whether blocked scopes are judged by the release that the cluster runs
}

// kindOf makes the kind whose lists are of type L with items of type T. Items are
// added in the order of their names: what a source says must not depend on the
// order in which the API server lists.
func kindOf[T any, L runtime.Object](k Kind, empty func() L, items func(L) []T, name func(*T) string, add func(*T, *policy.Policy) error) Kind {
	k.list = func() runtime.Object { return empty() }
	k.convert = func(list runtime.Object) (policy.Policy, error) {
		var p policy.Policy
		all := items(list.(L))
		slices.SortFunc(all, func(a, b T) int { return cmp.Compare(name(&a), name(&b)) })
		for i := range all {
			if err := add(&all[i], &p); err != nil {
				return policy.Policy{}, err
			}
		}
		return p, nil
	}
	return k
}

// ICSP returns the kind ImageContentSourcePolicy.
func ICSP() Kind {
	return kindOf(Kind{
		scheme:   "icsp",
		help:     "icsp: - the ImageContentSourcePolicy objects of the cluster",
		resource: operatorv1alpha1.GroupVersion.WithResource("imagecontentsourcepolicies"),
	},
		func() *operatorv1alpha1.ImageContentSourcePolicyList {
			return new(operatorv1alpha1.ImageContentSourcePolicyList)
		},
		func(l *operatorv1alpha1.ImageContentSourcePolicyList) []operatorv1alpha1.ImageContentSourcePolicy {
			return l.Items
		},
		func(o *operatorv1alpha1.ImageContentSourcePolicy) string { return o.Name },
		func(o *operatorv1alpha1.ImageContentSourcePolicy, p *policy.Policy) error {
			set := objects.ICSP().Set(objects.Object{Name: o.Name, Meta: metadataOf(o)})
			for _, e := range o.Spec.RepositoryDigestMirrors {
				set.Entries = append(set.Entries, objects.Entry{Source: e.Source, Mirrors: e.Mirrors})
			}
			return set.AddTo(p)
		})
}

// IDMS returns the kind ImageDigestMirrorSet.
func IDMS() Kind {
	return kindOf(Kind{
		scheme:   "idms",
		help:     "idms: - the ImageDigestMirrorSet objects of the cluster",
		resource: configv1.GroupVersion.WithResource("imagedigestmirrorsets"),
	},
		func() *configv1.ImageDigestMirrorSetList { return new(configv1.ImageDigestMirrorSetList) },
		func(l *configv1.ImageDigestMirrorSetList) []configv1.ImageDigestMirrorSet { return l.Items },
		func(o *configv1.ImageDigestMirrorSet) string { return o.Name },
		func(o *configv1.ImageDigestMirrorSet, p *policy.Policy) error {
			set := objects.IDMS().Set(objects.Object{Name: o.Name, Meta: metadataOf(o)})
			for _, e := range o.Spec.ImageDigestMirrors {
				set.Entries = append(set.Entries, entry(e.Source, e.Mirrors, e.MirrorSourcePolicy))
			}
			return set.AddTo(p)
		})
}

// ITMS returns the kind ImageTagMirrorSet.
func ITMS() Kind {
	return kindOf(Kind{
		scheme:   "itms",
		help:     "itms: - the ImageTagMirrorSet objects of the cluster",
		resource: configv1.GroupVersion.WithResource("imagetagmirrorsets"),
	},
		func() *configv1.ImageTagMirrorSetList { return new(configv1.ImageTagMirrorSetList) },
		func(l *configv1.ImageTagMirrorSetList) []configv1.ImageTagMirrorSet { return l.Items },
		func(o *configv1.ImageTagMirrorSet) string { return o.Name },
		func(o *configv1.ImageTagMirrorSet, p *policy.Policy) error {
			set := objects.ITMS().Set(objects.Object{Name: o.Name, Meta: metadataOf(o)})
			for _, e := range o.Spec.ImageTagMirrors {
				set.Entries = append(set.Entries, entry(e.Source, e.Mirrors, e.MirrorSourcePolicy))
			}
			return set.AddTo(p)
		})
}

// ImageConfig returns the kind of the object "cluster" of kind Image, config.openshift.io.
func ImageConfig() Kind {
	return kindOf(Kind{
		scheme:   "imageconfig",
		help:     "imageconfig: - insecure and blocked registries of image.config.openshift.io/cluster",
		resource: configv1.GroupVersion.WithResource("images"),
		only:     objects.ImageConfigName,
		payload:  true,
	},
		func() *configv1.ImageList { return new(configv1.ImageList) },
		func(l *configv1.ImageList) []configv1.Image { return l.Items },
		func(o *configv1.Image) string { return o.Name },
		func(o *configv1.Image, p *policy.Policy) error {
			registries := o.Spec.RegistrySources
			return objects.ImageConfig{
				Object:   objects.Object{Kind: "Image", Name: o.Name, Meta: metadataOf(o)},
				Insecure: values(registries.InsecureRegistries),
				Blocked:  values(registries.BlockedRegistries),
				Allowed:  values(registries.AllowedRegistries),
				Search:   values(registries.ContainerRuntimeSearchRegistries),
			}.AddTo(p)
		})
}

func metadataOf(o metav1.Object) *objects.Metadata {
	return &objects.Metadata{Labels: o.GetLabels(), Annotations: o.GetAnnotations()}
}

func entry(source string, mirrors []configv1.ImageMirror, sourcePolicy configv1.MirrorSourcePolicy) objects.Entry {
	e := objects.Entry{Source: source, SourcePolicy: string(sourcePolicy)}
	for _, m := range mirrors {
		e.Mirrors = append(e.Mirrors, string(m))
	}
	return e
}

func values(texts []string) []objects.Value {
	var out []objects.Value
	for _, t := range texts {
		out = append(out, objects.Value{Text: t})
	}
	return out
}

// Policy returns what the objects of a list of this kind state. The list is not changed.
func (k Kind) Policy(list runtime.Object) (policy.Policy, error) {
	return k.convert(list.DeepCopyObject())
}
