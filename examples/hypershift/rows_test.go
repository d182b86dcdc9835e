package hypershift

import (
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// The rows of HyperShift's imagemetadata_test.go for where an image is read, against
// registries on sockets. Ours differ where it matched without the host, with ports alone,
// or by a part of a component: a mirror is for whole components of one host.
func TestGetOverride(t *testing.T) {
	source, mirror, base := start(t)
	image := testpayload.Must(payload.Image())
	digest := source.Push("ns/repo", "", image)
	for _, repository := range []string{"ns/repo", "mirror/ns/repo", "other/repo", "exact"} {
		mirror.Push(repository, "", image)
	}
	at := func(r *testregistry.Registry, repository string) string {
		return r.ByDigest(repository, digest).String()
	}
	for name, c := range map[string]struct {
		mirrors map[string][]string
		want    string
	}{
		"no overrides":                      {nil, at(source, "ns/repo")},
		"another source":                    {map[string][]string{"quay.io/ns": {mirror.Host()}}, at(source, "ns/repo")},
		"root registry":                     {map[string][]string{source.Host(): {mirror.Host()}}, at(mirror, "ns/repo")},
		"root registry, mirror with a path": {map[string][]string{source.Host(): {mirror.Host() + "/mirror"}}, at(mirror, "mirror/ns/repo")},
		"namespace":                         {map[string][]string{source.Host() + "/ns": {mirror.Host() + "/other"}}, at(mirror, "other/repo")},
		"whole repository":                  {map[string][]string{source.Host() + "/ns/repo": {mirror.Host() + "/exact"}}, at(mirror, "exact")},
		"a part of a namespace":             {map[string][]string{source.Host() + "/n": {mirror.Host()}}, at(source, "ns/repo")},
		"the namespace of another registry": {map[string][]string{"quay.io/ns/repo": {mirror.Host() + "/exact"}}, at(source, "ns/repo")},
		"the first of two mirrors lacks it": {map[string][]string{source.Host(): {mirror.Host() + "/none", mirror.Host()}}, at(mirror, "ns/repo")},
		"no mirror has it":                  {map[string][]string{source.Host(): {mirror.Host() + "/none"}}, at(source, "ns/repo")},
	} {
		got, err := adapter(t, base, nil, c.mirrors).GetMetadataProvider().GetOverride(t.Context(), at(source, "ns/repo"), nil)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: it is read at %v, %v; want %s", name, got, err, c.want)
		}
	}
}

// HyperShift's catalogs take an image for absent by the words of an error, whichever method
// it is from.
func TestWordsForCatalogs(t *testing.T) {
	_, mirror, base := start(t)
	m := adapter(t, base, nil, nil).GetMetadataProvider()
	for status, c := range map[int]struct {
		want  error
		words string
	}{
		404: {provider.ErrNotFound, "manifest unknown"},
		401: {provider.ErrUnauthorized, "access to the requested resource is not authorized"},
		403: {provider.ErrUnauthorized, "access to the requested resource is not authorized"},
	} {
		undo := mirror.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Bare(status))
		image := mirror.ByTag("catalog", "v4.22").String()
		_, config := m.ImageMetadata(t.Context(), image, nil)
		_, manifest := m.GetManifest(t.Context(), image, nil)
		_, _, digest := m.GetDigest(t.Context(), image, nil)
		_, _, _, metadata := m.GetMetadata(t.Context(), image, nil)
		_, override := m.GetOverride(t.Context(), image, nil)
		for name, err := range map[string]error{"ImageMetadata": config, "GetManifest": manifest, "GetDigest": digest, "GetMetadata": metadata, "GetOverride": override} {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%d: %s: %v; want %q", status, name, err, c.words)
			}
		}
		undo()
	}
}
