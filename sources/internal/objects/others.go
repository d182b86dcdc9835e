package objects

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
	"github.com/mirrorchain/mirrorchain/policy"
)

// imageConfig reads spec.registrySources of the cluster's image configuration.
// The rest of spec is about other things than pulls.
func (r *reader) imageConfig(o Object, apiVersion string, fields []field) error {
	if apiVersion != imageAPIVersion {
		return invalid(o.String(), "%s has the apiVersion %s, not %q", imageKind, imageAPIVersion, apiVersion)
	}
	c := ImageConfig{Object: o}
	spec, err := r.fields(o, "spec", get(fields, "spec"))
	if err != nil {
		return err
	}
	const sources = "registrySources"
	for _, f := range spec {
		if name, near := nearest(f.name, []string{sources}); near && name != f.name {
			return unknown(o.at(f.line, 0), "spec of "+imageKind, f.name, []string{sources})
		}
	}
	lists, err := r.fields(o, sources, get(spec, sources))
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
		case "containerRuntimeSearchRegistries": // of short names, which are not looked up here
			continue
		default:
			return unknown(o.at(f.line, 0), sources, f.name,
				[]string{"insecureRegistries", "blockedRegistries", "allowedRegistries", "containerRuntimeSearchRegistries"})
		}
		items, err := r.list(o, f.name, f.value)
		if err != nil {
			return err
		}
		for i, item := range items {
			line := r.line(item)
			s, err := r.text(c.scope(f.name, line, i+1), "the scope", item)
			if err != nil {
				return err
			}
			*to = append(*to, Value{Text: s, Line: line})
		}
	}
	return c.AddTo(&r.out)
}

// hosted reads spec.imageContentSources of a HostedCluster or HostedControlPlane
// (api/hypershift/v1beta1): what HyperShift makes the hosted cluster's IDMS of.
func (r *reader) hosted(o Object, fields []field) error {
	spec, err := r.fields(o, "spec", get(fields, "spec"))
	if err != nil {
		return err
	}
	list := get(spec, contentSources)
	if isNull(follow(list)) {
		return r.skip(o, nil)
	}
	set := MirrorSet{Object: o, Pull: policy.PullDigest}
	if set.Entries, err = r.entries(o, list, "", nil); err != nil {
		return err
	}
	return set.AddTo(&r.out)
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
