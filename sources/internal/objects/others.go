package objects

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// imageConfig reads spec.registrySources of the cluster's image configuration.
// The rest of spec is about other things than pulls.
func (r *reader) imageConfig(o Object, apiVersion string, fields []field) error {
	if apiVersion != imageAPIVersion {
		return invalid(o.String(), "%s has the apiVersion %s, not %q", imageKind, imageAPIVersion, apiVersion)
	}
	c := ImageConfig{Object: o}
	spec, err := r.spec(o, fields)
	if err != nil {
		return err
	}
	const sources = registrySources
	for _, f := range fields {
		if f.name == sources {
			return invalid(o.at(f.line, 0), "%s belongs under spec", f.name)
		}
	}
	for _, f := range spec {
		if slices.Contains(scopeLists(), f.name) {
			return invalid(o.at(f.line, 0), "%s belongs under spec.%s, and is lost here", f.name, sources)
		}
		if name, near := nearest(f.name, []string{sources}); near && name != f.name {
			return unknown(o.at(f.line, 0), "spec of "+imageKind, f.name, []string{sources})
		}
	}
	return r.registrySources(c, get(spec, sources))
}

const (
	registrySources  = "registrySources"
	searchRegistries = "containerRuntimeSearchRegistries"
)

// scopeLists returns the fields of registrySources.
func scopeLists() []string {
	return []string{"insecureRegistries", "blockedRegistries", "allowedRegistries", searchRegistries}
}

// registrySources reads the scopes of an image configuration, wherever it stands.
func (r *reader) registrySources(c ImageConfig, n *yaml.Node) error {
	o := c.Object
	lists, err := r.fields(o, registrySources, n)
	if err != nil {
		return err
	}
	for _, f := range lists {
		var to *[]Value
		switch f.name {
		case "insecureRegistries":
			to = &c.Insecure
		case "blockedRegistries":
			to = &c.Blocked
		case "allowedRegistries":
			to = &c.Allowed
		case searchRegistries:
			to = &c.Search
		default:
			return unknown(o.at(f.line, 0), registrySources, f.name, scopeLists())
		}
		items, err := r.list(o, f.name, f.value)
		if err != nil {
			return err
		}
		for i, item := range items {
			line := r.line(item)
			if isNull(follow(item)) && to == &c.Search {
				r.refused(o, line, "an entry of %s is empty; remove it or name a registry", f.name)
			}
			s, err := r.text(c.scope(f.name, line, i+1), "the scope", item)
			if err != nil {
				return err
			}
			*to = append(*to, Value{Text: s, Line: line})
		}
	}
	if search := get(lists, searchRegistries); !isNull(search) && len(c.Search) == 0 {
		r.refused(o, r.line(search), "%s is an empty list; remove it", searchRegistries)
	}
	allowed, blocked := get(lists, "allowedRegistries"), get(lists, "blockedRegistries")
	if !isNull(allowed) && !isNull(blocked) && (len(c.Allowed) == 0 || len(c.Blocked) == 0) {
		r.refused(o, r.line(allowed), "allowedRegistries and blockedRegistries are both there; remove the empty one")
	}
	return c.AddTo(&r.out)
}

// hosted reads a HostedCluster or HostedControlPlane (api/hypershift/v1beta1):
// spec.imageContentSources, of which HyperShift makes the hosted cluster's IDMS, and
// spec.configuration.image, of which it makes its image configuration.
func (r *reader) hosted(o Object, namespace string, fields []field) error {
	for _, f := range fields {
		if f.name == contentSources {
			return invalid(o.at(f.line, 0), "%s belongs under spec", f.name)
		}
	}
	spec, err := r.fields(o, "spec", get(fields, "spec"))
	if err != nil {
		return err
	}
	configuration, err := r.fields(o, "configuration", get(spec, "configuration"))
	if err != nil {
		return err
	}
	image, err := r.fields(o, "image", get(configuration, "image"))
	if err != nil {
		return err
	}
	list, registries := get(spec, contentSources), get(image, registrySources)
	if isNull(follow(list)) && isNull(follow(registries)) {
		return r.skip(o, nil)
	}
	if o.Kind == "HostedControlPlane" { // it lives in the namespace CLUSTER'S-NAMESPACE-NAME
		namespace = strings.TrimSuffix(namespace, "-"+o.Name)
	}
	if !r.belongsTo(strings.TrimPrefix(namespace+"/"+o.Name, "/"), o) {
		return r.skip(o, nil)
	}
	if !isNull(follow(list)) {
		set := MirrorSet{Object: o, Pull: policy.PullDigest}
		if set.Entries, err = r.entries(o, list, "", nil); err != nil {
			return err
		}
		if err := set.AddTo(&r.out); err != nil {
			return err
		}
	}
	if err := r.payload(o, spec); err != nil {
		return err
	}
	return r.registrySources(ImageConfig{Object: o}, registries)
}

// payload reads the release of a HostedCluster, or the releaseImage of a HostedControlPlane.
func (r *reader) payload(o Object, spec []field) error {
	image := get(spec, "releaseImage")
	if release := get(spec, "release"); release != nil {
		fields, err := r.fields(o, "release", release)
		if err != nil {
			return err
		}
		image = get(fields, "image")
	}
	return r.addPayload(o, image)
}

// clusterVersion reads which release a cluster runs.
func (r *reader) clusterVersion(o Object, fields []field) error {
	if o.Name != ClusterVersionName {
		return r.skip(o, nil)
	}
	status, err := r.fields(o, "status", get(fields, "status"))
	if err != nil {
		return err
	}
	desired, err := r.fields(o, "desired", get(status, "desired"))
	if err != nil {
		return err
	}
	if err := r.addPayload(o, get(desired, "image")); err != nil {
		return err
	}
	return r.skip(o, nil) // as a policy
}

func (r *reader) addPayload(o Object, image *yaml.Node) error {
	text, err := r.text(o.String(), "the release image", image)
	if err != nil {
		return err
	}
	AddPayload(&r.out, text, o.String())
	return nil
}

// catalog notes the image of a catalog of operators (operator-framework/api CatalogSource,
// operator-framework/catalogd ClusterCatalog), and skips the object as a policy. What is no
// image is left out, since it decides about nothing.
func (r *reader) catalog(o Object, fields []field, path ...string) error {
	n := &yaml.Node{}
	for i, name := range path {
		n = get(fields, name)
		if i < len(path)-1 {
			var err error
			if fields, err = r.fields(o, name, n); err != nil {
				return r.skip(o, nil)
			}
		}
	}
	text, err := r.text(o.String(), "image", n)
	if ref, e := imageref.Parse(text); err == nil && e == nil {
		r.out.Catalogs = append(r.out.Catalogs, policy.Payload{Image: ref, Origin: o.String()})
	}
	return r.skip(o, nil)
}

const (
	contentSources = "imageContentSources"
	digestSources  = "imageDigestSources"
)

// looksLikeInstallConfig recognises an install-config, which has no kind.
func looksLikeInstallConfig(fields []field) bool {
	if get(fields, "baseDomain") != nil && get(fields, "platform") != nil {
		return true
	}
	for _, f := range fields {
		if _, ok := nearSources(f.name); ok {
			return true
		}
	}
	return false
}

func nearSources(name string) (string, bool) {
	for _, known := range []string{contentSources, digestSources} {
		if editdistance.Levenshtein(strings.ToLower(name), strings.ToLower(known)) <= 2 {
			return known, true
		}
	}
	return "", false
}

// installConfig reads the two lists of openshift/installer's install-config. It
// holds a pull secret, so nothing else of it is looked at or printed.
func (r *reader) installConfig(o Object, fields []field) error {
	lists := map[string]*yaml.Node{}
	for _, f := range fields {
		known, ok := nearSources(f.name)
		if ok && known != f.name {
			return unknown(o.at(f.line, 0), "install-config", f.name, []string{contentSources, digestSources})
		}
		if ok && !isNull(f.value) && (f.value.Kind != yaml.SequenceNode || len(f.value.Content) > 0) {
			lists[known] = f.value
		}
	}
	if len(lists) == 2 {
		return invalid(o.String(), "an install-config cannot set %s and %s at the same time; keep %s", contentSources, digestSources, digestSources)
	}
	set := MirrorSet{Object: o, Pull: policy.PullDigest, PolicyField: "sourcePolicy"}
	set.Kind = "install-config"
	if len(lists) > 0 && o.Name != "" && !r.belongsTo(o.Name, o) {
		return r.skip(o, nil)
	}
	for name, list := range lists {
		set.Name = name
		field := ""
		if name == digestSources {
			field = set.PolicyField
		}
		entries, err := r.entries(set.Object, list, field, isRepository)
		if err != nil {
			return err
		}
		set.Entries = entries
	}
	return set.AddTo(&r.out)
}

// isRepository refuses what the installer refuses: a name with a tag or a digest.
func isRepository(name string) error {
	if strings.Contains(name, "://") {
		return fmt.Errorf("%q has a scheme; write it without", name)
	}
	if strings.Contains(name, "@") {
		return fmt.Errorf("%q has a digest; name a repository, not an image", name)
	}
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 && strings.Contains(name[slash:], ":") {
		return fmt.Errorf("%q has a tag; name a repository, not an image", name)
	}
	return nil
}
