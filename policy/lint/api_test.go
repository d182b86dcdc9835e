package lint_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy/lint"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// definitions are the real ones, as a release installs them.
var definitions = map[string]string{
	"ImageContentSourcePolicy": "payload-manifests/crds/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
	"ImageDigestMirrorSet":     "payload-manifests/crds/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
	"ImageTagMirrorSet":        "payload-manifests/crds/0000_10_config-operator_01_imagetagmirrorsets.crd.yaml",
	"Image":                    "payload-manifests/crds/0000_10_config-operator_01_images.crd.yaml",
}

// names are written right and wrong in every way that somebody thought of.
var names = []string{
	"quay.io", "quay.io/a", "quay.io:5000/a/b", "m.io/a_b", "m.io/a__b", "m.io/a___b", "m.io/a-b", "m.io/a--b", "m.io/a.b", "m.io/a..b", "m.io/a-", "m.io/-a", "m.io/a_.b",
	"nodot", "nodot/ns", "localhost", "localhost:5000/a", "UPPER.io/a", "upper.io/A", "quay.io/", "quay.io//a", "quay.io/a/", "/quay.io", "quay.io:tag/a", "quay.io/a:tag",
	"quay.io/a@sha256:" + strings.Repeat("0", 64), "https://quay.io", "*.io", "*.a.io", "*.A.io", "*.io/a", "*.io:5000", "*io", "*", "*.", "a.*.io", "[::1]:5000/a", "10.0.0.1", "10.0.0.1:80/a",
	"-a.io", "a-.io", "a..io", ".a.io", "a.io.", "a_b.io", "a b.io", "ä.io", "quay.io/ä", "quay.io:", "quay.io:/a", "quay.io:0443", "q", "a.io/" + strings.Repeat("x", 300),
}

// What lint calls refused by the API server is refused by it, and nothing else is.
func TestAPIServer(t *testing.T) {
	c := cluster.Start(t)
	var crds []*unstructured.Unstructured
	for _, path := range definitions {
		crds = append(crds, cluster.OpenShiftCRD(t, path))
	}
	c.Install(t, crds...)
	client := c.Dynamic(t)
	rng := rand.New(rand.NewPCG(1, 2))
	refused, taken := 0, 0
	for _, o := range apiObjects(rng) {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var found []lint.Finding
		if p, err := file.Parse("file:p.json", text); err != nil {
			found = append(found, lint.UnreadableFinding(err))
		} else {
			found = lint.Check(lint.Config{}, p)
		}
		says := slices.ContainsFunc(found, func(f lint.Finding) bool { return f.RefusedByAPI })
		u := &unstructured.Unstructured{Object: o}
		_, err = client.Resource(resource(u)).Create(t.Context(), u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil && !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
			t.Fatalf("%v\n%s", err, text)
		}
		if says != (err != nil) {
			t.Errorf("lint says refused: %v, the API server: %v\n%s\n%s", says, err, text, say(true, found))
		}
		if says {
			refused++
		} else {
			taken++
		}
	}
	t.Logf("%d refused, %d taken", refused, taken)
	if refused < 100 || taken < 100 {
		t.Error("the objects ask about too little")
	}
}

func resource(u *unstructured.Unstructured) schema.GroupVersionResource {
	plural := map[string]string{
		"ImageContentSourcePolicy": "imagecontentsourcepolicies", "ImageDigestMirrorSet": "imagedigestmirrorsets", "ImageTagMirrorSet": "imagetagmirrorsets", "Image": "images",
	}
	return u.GroupVersionKind().GroupVersion().WithResource(plural[u.GetKind()])
}

// apiObjects returns each name in each place by itself, and random objects.
func apiObjects(rng *rand.Rand) []map[string]any {
	var all []map[string]any
	of := func(kind string, entries ...any) {
		apiVersion, list := "config.openshift.io/v1", map[string]string{"ImageDigestMirrorSet": "imageDigestMirrors", "ImageTagMirrorSet": "imageTagMirrors", "ImageContentSourcePolicy": "repositoryDigestMirrors"}[kind]
		if kind == "ImageContentSourcePolicy" {
			apiVersion = "operator.openshift.io/v1alpha1"
		}
		all = append(all, map[string]any{
			"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": fmt.Sprint("x", len(all))}, "spec": map[string]any{list: entries},
		})
	}
	image := func(registrySources map[string]any) {
		all = append(all, map[string]any{
			"apiVersion": "config.openshift.io/v1", "kind": "Image", "metadata": map[string]any{"name": "cluster"}, "spec": map[string]any{"registrySources": registrySources},
		})
	}
	entry := func(source string, mirrors ...any) any {
		return map[string]any{"source": source, "mirrors": append([]any{}, mirrors...)}
	}
	for i, name := range names {
		kind := []string{"ImageDigestMirrorSet", "ImageTagMirrorSet"}[i%2]
		of(kind, entry(name, "m.io"))
		of(kind, entry("quay.io/a", name))
		of("ImageContentSourcePolicy", entry(name, name, name))
		image(map[string]any{[]string{"insecureRegistries", "blockedRegistries", "allowedRegistries"}[i%3]: []any{name}})
	}
	of("ImageDigestMirrorSet", entry("quay.io/a", "m.io", "n.io", "m.io"))
	of("ImageTagMirrorSet", entry("quay.io/a", "m.io", "m.io"))
	of("ImageDigestMirrorSet", entry("quay.io/a", "m.io"), entry("quay.io/a", "m.io"))
	of("ImageDigestMirrorSet", map[string]any{"source": "quay.io/a"})
	of("ImageDigestMirrorSet", map[string]any{"source": "quay.io/a", "mirrors": []any{"quay.io/a"}, "mirrorSourcePolicy": "NeverContactSource"})
	of("ImageTagMirrorSet", map[string]any{"source": "quay.io/a", "mirrors": []any{"m.io/a"}, "mirrorSourcePolicy": "Never"})
	of("ImageDigestMirrorSet", entry("", "m.io"))
	of("ImageDigestMirrorSet", entry("quay.io/a", ""))
	of("ImageDigestMirrorSet", map[string]any{"mirrors": []any{"m.io/a"}})
	image(map[string]any{"allowedRegistries": []any{"a.io"}, "blockedRegistries": []any{"b.io"}})
	image(map[string]any{"allowedRegistries": []any{"a.io"}, "insecureRegistries": []any{"b.io"}})
	image(map[string]any{"insecureRegistries": slices.Repeat([]any{"a.io"}, 1025)})
	image(map[string]any{"insecureRegistries": slices.Repeat([]any{"a.io"}, 1024)})
	image(map[string]any{"containerRuntimeSearchRegistries": []any{"a.io", "a.io"}})
	image(map[string]any{"containerRuntimeSearchRegistries": []any{"a.io", "not a host"}})
	image(map[string]any{"blockedRegistries": []any{strings.Repeat("a", 256)}})
	image(map[string]any{"blockedRegistries": []any{strings.Repeat("a", 257)}})
	all = append(all, misshapen()...)
	good := []string{"quay.io", "quay.io/a", "*.redhat.io", "m.io:5000/a/b"}
	pick := func() string {
		if rng.IntN(6) == 0 {
			return names[rng.IntN(len(names))]
		}
		return good[rng.IntN(len(good))]
	}
	for range 200 {
		var entries []any
		for range 1 + rng.IntN(2) {
			var mirrors []any
			for range rng.IntN(4) {
				mirrors = append(mirrors, strings.TrimPrefix(pick(), "*."))
			}
			entries = append(entries, entry(pick(), mirrors...))
		}
		of([]string{"ImageDigestMirrorSet", "ImageTagMirrorSet", "ImageContentSourcePolicy"}[rng.IntN(3)], entries...)
	}
	return all
}

// misshapen returns objects with metadata, a spec or a value that is there, missing, null, empty
// or of another type.
func misshapen() []map[string]any {
	const idms = `{"apiVersion":"config.openshift.io/v1","kind":"ImageDigestMirrorSet","metadata":{"name":"x"},"spec":{"imageDigestMirrors":[{"source":"quay.io/a","mirrors":["m.io"]}]}}`
	const icsp = `{"apiVersion":"operator.openshift.io/v1alpha1","kind":"ImageContentSourcePolicy","metadata":{"name":"x"},"spec":{"repositoryDigestMirrors":[{"source":"quay.io/a","mirrors":["m.io"]}]}}`
	const image = `{"apiVersion":"config.openshift.io/v1","kind":"Image","metadata":{"name":"cluster"},"spec":{"registrySources":{"insecureRegistries":["a.io"]}}}`
	var all []map[string]any
	for _, text := range []string{idms, icsp, image} {
		for _, path := range [][]string{
			{"metadata"}, {"metadata", "name"}, {"metadata", "generateName"}, {"metadata", "namespace"}, {"metadata", "labels"}, {"metadata", "annotations"}, {"metadata", "labels", "a"}, {"metadata", "annotations", "a"},
			{"metadata", "labels", "A_b"}, {"metadata", "labels", "a b"}, {"metadata", "labels", "a.io/b"}, {"metadata", "labels", "A.io/b"}, {"metadata", "annotations", "A.io/b"}, {"metadata", "annotations", "a/b/c"}, {"metadata", "annotations", "/b"},
			{"spec"}, {"spec", "imageDigestMirrors"}, {"spec", "repositoryDigestMirrors"}, {"spec", "imageDigestMirrors", "0"}, {"spec", "repositoryDigestMirrors", "0"},
			{"spec", "imageDigestMirrors", "0", "source"}, {"spec", "repositoryDigestMirrors", "0", "source"}, {"spec", "imageDigestMirrors", "0", "mirrors"}, {"spec", "repositoryDigestMirrors", "0", "mirrors"},
			{"spec", "imageDigestMirrors", "0", "mirrors", "0"}, {"spec", "repositoryDigestMirrors", "0", "mirrors", "0"}, {"spec", "imageDigestMirrors", "0", "mirrorSourcePolicy"},
			{"spec", "registrySources"}, {"spec", "registrySources", "insecureRegistries"}, {"spec", "registrySources", "insecureRegistries", "0"}, {"spec", "registrySources", "blockedRegistries"},
			{"spec", "registrySources", "containerRuntimeSearchRegistries"},
		} {
			for _, value := range []string{"", "null", `""`, "[]", "{}", "[null]", `"a"`, `"-a"`, `"a b"`, `"A"`, `"${A}"`, "1", "true", strconv.Quote(strings.Repeat("a", 64)), strconv.Quote(strings.Repeat("a", 254))} {
				var o map[string]any
				if err := json.Unmarshal([]byte(text), &o); err != nil {
					panic(err)
				}
				if put(o, path, value) {
					all = append(all, o)
				}
			}
		}
	}
	for _, lists := range []string{`"allowedRegistries":[],"blockedRegistries":[]`, `"allowedRegistries":[],"blockedRegistries":["a.io"]`, `"allowedRegistries":["a.io"],"blockedRegistries":[]`, `"allowedRegistries":null,"blockedRegistries":["a.io"]`} {
		var o map[string]any
		if err := json.Unmarshal([]byte(strings.Replace(image, `"insecureRegistries":["a.io"]`, lists, 1)), &o); err != nil {
			panic(err)
		}
		all = append(all, o)
	}
	return all
}

// put puts a value in JSON at path, or removes what is there if it is "". It reports whether o
// has the place.
func put(o any, path []string, value string) bool {
	for _, name := range path[:len(path)-1] {
		switch at := o.(type) {
		case map[string]any:
			if at[name] == nil && (name == "labels" || name == "annotations") {
				at[name] = map[string]any{}
			}
			o = at[name]
		case []any:
			o = at[0]
		}
	}
	var v any
	if value != "" {
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			panic(err)
		}
	}
	last := path[len(path)-1]
	switch at := o.(type) {
	case map[string]any:
		_, is := at[last]
		if delete(at, last); value != "" {
			at[last] = v
		}
		return is || slices.Contains([]string{"metadata", "labels", "annotations", "registrySources"}, path[max(0, len(path)-2)]) || last == "mirrorSourcePolicy"
	case []any:
		at[0] = v
		return value != ""
	}
	return false
}
