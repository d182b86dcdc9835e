package hypershift

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

var indexes = []string{"certified-operator-index", "community-operator-index", "redhat-operator-index"}

// catalogs finds the catalog images of a release as HyperShift's support/catalogs does, from
// the same methods of the adapter: of the versions up to that of the release, at most 4.22,
// the latest of four that a registry has, the registries being the mirrors of
// registry.redhat.io. An image is absent by the words of an error.
func catalogs(ctx context.Context, r *Registry, release string) (map[string]string, error) {
	config, _, _, err := r.GetMetadataProvider().GetMetadata(ctx, release, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get image metadata: %w", err)
	}
	numbers := strings.SplitN(config.Config.Labels["io.openshift.release"], ".", 3)
	minor, err := strconv.Atoi(numbers[1])
	if err != nil {
		return nil, err
	}
	if numbers[0] != "4" || minor > 22 {
		minor = 22
	}
	overrides := r.GetOpenShiftImageRegistryOverrides()
	registries := slices.Clone(overrides["registry.redhat.io/redhat"])
	for _, mirror := range overrides["registry.redhat.io"] {
		if !strings.Contains(mirror, "/") {
			mirror += "/redhat"
		}
		registries = append(registries, mirror)
	}
	if len(registries) == 0 {
		registries = []string{"registry.redhat.io/redhat"}
	}
	found := map[string]string{}
	for _, index := range indexes {
		for v := minor; v > minor-4 && found[index] == ""; v-- {
			for _, registry := range registries {
				image := fmt.Sprintf("%s/%s:v4.%d", registry, index, v)
				_, _, err := r.GetMetadataProvider().GetDigest(ctx, image, nil)
				if err == nil {
					found[index] = image
					break
				}
				if !strings.Contains(err.Error(), "manifest unknown") && !strings.Contains(err.Error(), "access to the requested resource is not authorized") {
					return nil, fmt.Errorf("failed to get image digest: %w", err)
				}
			}
		}
		if found[index] == "" {
			return nil, fmt.Errorf("failed to fetch image digest for 4 previous versions of %s", index)
		}
	}
	return found, nil
}

// The rows of HyperShift's TestComputeCatalogImages, against registries on sockets: ONE and
// TWO are mirrors. Where no policy names any, registry.redhat.io is in ONE/origin by
// --registry-overrides.
func TestCatalogs(t *testing.T) {
	one, two, base := start(t)
	hosts := strings.NewReplacer("ONE", one.Host(), "TWO", two.Host())
	image := testpayload.Must(payload.Image())
	const origin, redhat = "ONE/origin/redhat", "registry.redhat.io/redhat"
	// at returns the three catalogs in these repositories, with these tags.
	at := func(where ...string) (images []string) {
		for i, index := range indexes {
			registry, tag, _ := strings.Cut(where[min(i, len(where)-1)], " ")
			images = append(images, registry+"/"+index+":"+tag)
		}
		return images
	}
	namespace := map[string][]string{redhat: {"ONE/test", "TWO/redhat"}}
	both := at("ONE/test v4.19", "ONE/test v4.19", "TWO/redhat v4.19")
	older := at("ONE/test v4.19", "ONE/test v4.18", "TWO/redhat v4.17")
	bare := at("ONE/redhat v4.19", "ONE/redhat v4.19", "TWO/redhat v4.19")
	for name, c := range map[string]struct {
		version string // of the release
		exist   []string
		mirrors map[string][]string
		want    []string
	}{
		"those of the release":          {"4.19.2", at(origin + " v4.19"), nil, at(redhat + " v4.19")},
		"some of earlier ones":          {"4.19.2", at(origin+" v4.19", origin+" v4.17", origin+" v4.18"), nil, at(redhat+" v4.19", redhat+" v4.17", redhat+" v4.18")},
		"mirrors of the namespace":      {"4.19.0", append(at("ONE/test v4.18")[:2], both...), namespace, both},
		"mirrors with earlier versions": {"4.19.0", older, namespace, older},
		"mirrors of the registry":       {"4.19.0", append(at("ONE/test v4.19"), bare...), map[string][]string{"registry.redhat.io": {"ONE", "TWO"}}, bare},
		"one of them with a path":       {"4.19.0", both, map[string][]string{"registry.redhat.io": {"ONE/test", "TWO"}}, both},
		"4.22":                          {"4.22.0", at(origin + " v4.22"), nil, at(redhat + " v4.22")},
		"5.0":                           {"5.0.0", at(origin + " v4.22"), nil, at(redhat + " v4.22")},
		"a nightly of 5.0":              {"5.0.0-0.nightly-multi-2026-04-07-214955", at(origin + " v4.22"), nil, at(redhat + " v4.22")},
		"5.0 without 4.22":              {"5.0.0", at(origin + " v4.19"), nil, at(redhat + " v4.19")},
		"none of four versions":         {"4.19.0", at(origin + " v4.15"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			release := payload
			release.Version = c.version
			spec := one.ByDigest("ocp", one.Push("ocp", "", testpayload.Must(release.Image()))).String()
			registries := map[string]*testregistry.Registry{one.Host(): one, two.Host(): two}
			for _, name := range c.exist {
				ref := imageref.MustParse(hosts.Replace(name))
				registries[ref.Registry()].Push(ref.Repository(), ref.Tag(), image)
				defer registries[ref.Registry()].Remove(ref.Repository(), ref.Tag())
			}
			mirrors := map[string][]string{}
			for source, list := range c.mirrors {
				mirrors[source] = strings.Split(hosts.Replace(strings.Join(list, " ")), " ")
			}
			r := adapter(t, base, map[string]string{"registry.redhat.io": hosts.Replace("ONE/origin")}, mirrors)
			got, err := catalogs(t.Context(), r, spec)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), "failed to fetch image digest for 4 previous versions of ") {
					t.Errorf("%v, %v; want an error", got, err)
				}
				return
			}
			for i, index := range indexes {
				if want := hosts.Replace(c.want[i]); err != nil || got[index] != want {
					t.Errorf("%s is %s, %v; want %s", index, got[index], err, want)
				}
			}
		})
	}
	// What is no answer is no absence.
	one.Push("ocp", "4.19", image)
	one.Fail(testregistry.Match{Kind: testregistry.Manifest, Repository: "origin/redhat/certified-operator-index"}, testregistry.Bare(500))
	r := adapter(t, base, map[string]string{"registry.redhat.io": hosts.Replace("ONE/origin")}, nil)
	if got, err := catalogs(t.Context(), r, one.ByTag("ocp", "4.19").String()); err == nil || !strings.Contains(err.Error(), "failed to get image digest") {
		t.Errorf("a registry that fails: %v, %v", got, err)
	}
}
