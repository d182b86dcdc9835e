package objects

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const where = "file:p.yaml"

func decode(t *testing.T, text string) policy.Policy {
	t.Helper()
	p, err := Decode(where, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withoutObjects returns p without the objects that state it, which TestObjects is about.
func withoutObjects(p policy.Policy) policy.Policy {
	for i := range p.Rules {
		p.Rules[i].Object = nil
	}
	for _, scopes := range [][]policy.Scope{p.Insecure, p.Blocked, p.Allowed, p.Search} {
		for i := range scopes {
			scopes[i].Object = nil
		}
	}
	return p
}

func mirrors(names ...string) (out []policy.Mirror) {
	for _, n := range names {
		out = append(out, policy.Mirror{Location: n})
	}
	return out
}

const idms = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: idms-release-0
spec:
  imageDigestMirrors:
  - source: quay.io/a
    mirrors: [m1.local/a, m0.local/a]
  - source: quay.io/b
    mirrors:
    - m1.local/b
    mirrorSourcePolicy: NeverContactSource
`

var idmsRules = []policy.Rule{
	{Source: "quay.io/a", Mirrors: mirrors("m1.local/a", "m0.local/a"), Origin: "file:p.yaml:7 imagedigestmirrorset/idms-release-0#1"},
	{Source: "quay.io/b", Mirrors: mirrors("m1.local/b"), NeverContactSource: true, Origin: "file:p.yaml:9 imagedigestmirrorset/idms-release-0#2"},
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       policy.Policy // warnings by code, see below
		warnings   []string
	}{
		{"nothing", "", policy.Policy{}, nil},
		{"comments", "# nothing\n---\n# here\n", policy.Policy{}, nil},
		{"idms", idms, policy.Policy{Rules: idmsRules}, nil},
		{"icsp", `
apiVersion: operator.openshift.io/v1alpha1
kind: ImageContentSourcePolicy
metadata: {name: x}
spec:
  repositoryDigestMirrors:
  - mirrors: [m.local/a, m.local/a]
    source: '*.redhat.io'
`, policy.Policy{Rules: []policy.Rule{{Source: "*.redhat.io", Mirrors: mirrors("m.local/a", "m.local/a"), Origin: "file:p.yaml:7 imagecontentsourcepolicy/x#1"}}}, nil},
		{"itms", `{"apiVersion":"config.openshift.io/v1","kind":"ImageTagMirrorSet","metadata":{"name":"t"},
 "spec":{"imageTagMirrors":[
  {"source":"quay.io/t","mirrors":["m.local/t"],"mirrorSourcePolicy":"AllowContactingSource"}]}}`,
			policy.Policy{Rules: []policy.Rule{{Source: "quay.io/t", Mirrors: mirrors("m.local/t"), Pull: policy.PullTag, Origin: "file:p.yaml:3 imagetagmirrorset/t#1"}}}, nil},
		{"json objects in a row",
			`{"kind":"ConfigMap","apiVersion":"v1"}` + "\n" +
				`{"apiVersion":"config.openshift.io/v1","kind":"ImageTagMirrorSet","spec":{"imageTagMirrors":[{"source":"a.io","mirrors":["b.io"]}]}}` + "\n",
			policy.Policy{
				Rules:   []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Pull: policy.PullTag, Origin: "file:p.yaml:2 imagetagmirrorset#1"}},
				Skipped: []policy.SkippedObject{{Kind: "ConfigMap", Origin: "file:p.yaml:1"}},
			}, []string{policy.WarnObjectRefused}}, // without a name
		{"json that is no yaml", "{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"\\ud83d\\ude00 \\/ \u0080\",\"<<\":1}}\n[{\"source\":\n\"a.io\",\"mirrors\":[\"b\\u002eio\"]}]",
			policy.Policy{
				Rules:   []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Origin: "file:p.yaml:2 imagecontentsources#1"}},
				Skipped: []policy.SkippedObject{{Kind: "ConfigMap", Origin: "file:p.yaml:1"}},
			}, nil},
		{"byte order mark, json that is no yaml", "\ufeff{\"a\": \"\\/\"}\n{\"b\": 1}", policy.Policy{Skipped: []policy.SkippedObject{{Origin: "file:p.yaml:1"}, {Origin: "file:p.yaml:2"}}}, nil},
		{"flow-style yaml", `{apiVersion: config.openshift.io/v1, kind: ImageTagMirrorSet, spec: {imageTagMirrors: [{source: a.io, mirrors: [b.io]}]}}`,
			policy.Policy{Rules: []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Pull: policy.PullTag, Origin: "file:p.yaml:1 imagetagmirrorset#1"}}}, []string{policy.WarnObjectRefused}},
		{"same name twice", idms + "---\n" + idms, policy.Policy{Rules: slices.Concat(idmsRules, []policy.Rule{
			{Source: "quay.io/a", Mirrors: mirrors("m1.local/a", "m0.local/a"), Origin: "file:p.yaml:20 imagedigestmirrorset/idms-release-0#1"},
			{Source: "quay.io/b", Mirrors: mirrors("m1.local/b"), NeverContactSource: true, Origin: "file:p.yaml:22 imagedigestmirrorset/idms-release-0#2"},
		})}, nil},
		{"v1 list", `
apiVersion: v1
kind: List
items:
- apiVersion: config.openshift.io/v1
  kind: ImageDigestMirrorSet
  metadata: {name: d}
  spec:
    imageDigestMirrors:
    - source: a.io
      mirrors: [b.io]
- apiVersion: v1
  kind: Secret
  metadata: {name: s}
`, policy.Policy{
			Rules:   []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Origin: "file:p.yaml:10 imagedigestmirrorset/d#1"}},
			Skipped: []policy.SkippedObject{{Kind: "Secret", Name: "s", Origin: "file:p.yaml:12"}},
		}, nil},
		{"a kind's own list, items without kind", `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSetList
metadata: {resourceVersion: "1"}
items:
- metadata: {name: d}
  spec: {imageDigestMirrors: [{source: a.io, mirrors: [b.io]}]}
`, policy.Policy{Rules: []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Origin: "file:p.yaml:7 imagedigestmirrorset/d#1"}}}, nil},
		{"anchors and merge keys", `
- &a
  source: a.io
  mirrors: &m [b.io, c.io]
- <<: *a
  source: d.io
- source: e.io
  mirrors: *m
`, policy.Policy{Rules: []policy.Rule{
			{Source: "a.io", Mirrors: mirrors("b.io", "c.io"), Origin: "file:p.yaml:2 imagecontentsources#1"},
			{Source: "d.io", Mirrors: mirrors("b.io", "c.io"), Origin: "file:p.yaml:5 imagecontentsources#2"},
			{Source: "e.io", Mirrors: mirrors("b.io", "c.io"), Origin: "file:p.yaml:7 imagecontentsources#3"},
		}}, nil},
		{"bare list", "- source: a.io\n  mirrors:\n  - b.io\n- source: c.io\n", policy.Policy{Rules: []policy.Rule{
			{Source: "a.io", Mirrors: mirrors("b.io"), Origin: "file:p.yaml:1 imagecontentsources#1"},
			{Source: "c.io", Origin: "file:p.yaml:4 imagecontentsources#2"},
		}}, nil},
		{"some other list", "- hosts: all\n  tasks: []\n", policy.Policy{Skipped: []policy.SkippedObject{{Kind: "list", Origin: "file:p.yaml:1"}}}, nil},
		{"install-config, old", "apiVersion: v1\nbaseDomain: x.y\nplatform: {none: {}}\npullSecret: '{}'\nimageContentSources:\n- source: a.io/b\n  mirrors: [reg:5000/b]\n",
			policy.Policy{Rules: []policy.Rule{{Source: "a.io/b", Mirrors: mirrors("reg:5000/b"), Origin: "file:p.yaml:6 install-config/imageContentSources#1"}}}, nil},
		{"install-config, new", "baseDomain: x.y\nimageContentSources: []\nimageDigestSources:\n- source: a.io\n  sourcePolicy: NeverContactSource\n  mirrors: [b.io]\n",
			policy.Policy{Rules: []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), NeverContactSource: true, Origin: "file:p.yaml:4 install-config/imageDigestSources#1"}}}, nil},
		{"install-config without mirrors", "apiVersion: v1\nbaseDomain: x.y\nplatform: {none: {}}\n", policy.Policy{}, []string{policy.WarnNoRules}},
		{"hosted cluster", "apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedCluster\nmetadata: {name: hc, namespace: clusters}\nspec:\n  imageContentSources:\n  - source: a.io\n    mirrors: [b.io]\n",
			policy.Policy{Rules: []policy.Rule{{Source: "a.io", Mirrors: mirrors("b.io"), Origin: "file:p.yaml:6 hostedcluster/hc#1"}},
				Clusters: []policy.Cluster{{Name: "clusters/hc", Origin: "file:p.yaml:1 hostedcluster/hc"}}}, nil},
		{"hosted cluster without", "apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedCluster\nmetadata: {name: hc}\nspec: {}\n",
			policy.Policy{Skipped: []policy.SkippedObject{{Kind: "HostedCluster", Name: "hc", Origin: "file:p.yaml:1"}}}, nil},
		{"image config", `
apiVersion: config.openshift.io/v1
kind: Image
metadata: {name: cluster}
spec:
  additionalTrustedCA: {name: x}
  registrySources:
    containerRuntimeSearchRegistries: [x.io]
    insecureRegistries: [plain.local:5000]
    blockedRegistries:
    - evil.io
    allowedRegistries: [quay.io]
`, policy.Policy{
			Insecure: []policy.Scope{{Name: "plain.local:5000", Origin: "file:p.yaml:9 image/cluster insecureRegistries#1"}},
			Blocked:  []policy.Scope{{Name: "evil.io", Origin: "file:p.yaml:11 image/cluster blockedRegistries#1"}},
			Allowed:  []policy.Scope{{Name: "quay.io", Origin: "file:p.yaml:12 image/cluster allowedRegistries#1"}},
			Search:   []policy.Scope{{Name: "x.io", Origin: "file:p.yaml:8 image/cluster containerRuntimeSearchRegistries#1"}},
		}, []string{policy.WarnNotEnforced}},
		{"cluster version", "apiVersion: config.openshift.io/v1\nkind: ClusterVersion\nmetadata: {name: version}\nspec: {clusterID: x}\nstatus: {desired: {image: 'quay.io/a/b:v1'}}\n",
			policy.Policy{
				Payloads: []policy.Payload{{Image: imageref.MustParse("quay.io/a/b:v1"), Origin: "file:p.yaml:1 clusterversion/version"}},
				Skipped:  []policy.SkippedObject{{Kind: "ClusterVersion", Name: "version", Origin: "file:p.yaml:1"}},
			}, nil},
		{"cluster versions, one without a release", "apiVersion: config.openshift.io/v1\nkind: ClusterVersionList\nitems:\n- metadata: {name: version}\n- metadata: {name: other}\n  status: {desired: {image: quay.io/a/b}}\n",
			policy.Policy{Skipped: []policy.SkippedObject{{Kind: "ClusterVersion", Name: "version", Origin: "file:p.yaml:4"}, {Kind: "ClusterVersion", Name: "other", Origin: "file:p.yaml:5"}}}, nil},
		{"hosted cluster, blocked", "apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedCluster\nmetadata: {name: hc, namespace: clusters}\nspec:\n  release: {image: 'quay.io/a/b:v1'}\n  configuration: {image: {registrySources: {blockedRegistries: [quay.io]}}}\n",
			policy.Policy{
				Blocked:  []policy.Scope{{Name: "quay.io", Origin: "file:p.yaml:6 hostedcluster/hc blockedRegistries#1"}},
				Payloads: []policy.Payload{{Image: imageref.MustParse("quay.io/a/b:v1"), Origin: "file:p.yaml:1 hostedcluster/hc"}},
				Clusters: []policy.Cluster{{Name: "clusters/hc", Origin: "file:p.yaml:1 hostedcluster/hc"}},
			}, nil},
		{"hosted control plane, blocked", "apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedControlPlane\nmetadata: {name: hc, namespace: clusters-hc}\nspec:\n  releaseImage: quay.io/a/b:v1\n  configuration: {image: {registrySources: {blockedRegistries: [quay.io]}}}\n",
			policy.Policy{
				Blocked:  []policy.Scope{{Name: "quay.io", Origin: "file:p.yaml:6 hostedcontrolplane/hc blockedRegistries#1"}},
				Payloads: []policy.Payload{{Image: imageref.MustParse("quay.io/a/b:v1"), Origin: "file:p.yaml:1 hostedcontrolplane/hc"}},
				Clusters: []policy.Cluster{{Name: "clusters/hc", Origin: "file:p.yaml:1 hostedcontrolplane/hc"}},
			}, nil},
		{"image config of another name", "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: other}\nspec: {registrySources: {insecureRegistries: [a.io]}}\n",
			policy.Policy{}, []string{policy.WarnNotEnforced}},
		{"an image of another group", "apiVersion: image.openshift.io/v1\nkind: Image\nmetadata: {name: sha256:0}\n",
			policy.Policy{Skipped: []policy.SkippedObject{{Kind: "Image", Name: "sha256:0", Origin: "file:p.yaml:1"}}}, nil},
		{"no entries", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\nspec: {}\n", policy.Policy{}, []string{policy.WarnNoRules}},
		{"no spec", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\n", policy.Policy{}, []string{policy.WarnObjectRefused, policy.WarnNoRules}},
		{"misspelt kind", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorsSet\nmetadata: {name: d}\n",
			policy.Policy{Skipped: []policy.SkippedObject{{Kind: "ImageDigestMirrorsSet", Name: "d", Origin: "file:p.yaml:1"}}}, []string{policy.WarnMisspeltKind}},
		{"kind left out", "apiVersion: config.openshift.io/v1\nspec: {imageTagMirrors: []}\n",
			policy.Policy{Skipped: []policy.SkippedObject{{Origin: "file:p.yaml:1"}}}, []string{policy.WarnMisspeltKind}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := decode(t, tc.text)
			var codes []string
			for _, w := range got.Warnings {
				codes = append(codes, w.Code)
				if w.Message == "" || len(w.Origins) == 0 {
					t.Errorf("a warning without message or origin: %+v", w)
				}
			}
			got.Warnings = nil
			got = withoutObjects(got)
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.warnings, codes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each error says where and what, and what to do about it.
func TestDecodeInvalid(t *testing.T) {
	spec := func(entry string) string {
		return "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\nspec:\n  imageDigestMirrors:\n  - source: ok.io\n  - " + entry + "\n"
	}
	const entry2 = "file:p.yaml:7 imagedigestmirrorset/d#2"
	for _, tc := range []struct {
		name, text, origin, says string
	}{
		{"unknown policy", spec("{source: a.io, mirrors: [b.io], mirrorSourcePolicy: Never}"), entry2, "NeverContactSource or AllowContactingSource"},
		{"field of another kind", spec("{source: a.io, mirrors: [b.io], sourcePolicy: NeverContactSource}"), entry2, `did you mean "mirrorSourcePolicy"`},
		{"misspelt field", spec("{source: a.io, mirror: [b.io]}"), entry2, `did you mean "mirrors"`},
		{"no source", spec("{mirrors: [b.io]}"), entry2, "no source"},
		{"empty entry", spec(""), entry2, "empty"},
		{"empty mirror", spec("{source: a.io, mirrors: ['']}"), entry2, "mirror 1"},
		{"number for a source", spec("{source: 5000}"), entry2, "string"},
		{"string for mirrors", spec("{source: a.io, mirrors: b.io}"), "file:p.yaml:7 imagedigestmirrorset/d", "list"},
		{"field twice", spec("{source: a.io, source: b.io}"), "file:p.yaml:7 imagedigestmirrorset/d", "twice"},
		{"a string for an entry", spec("a.io"), "file:p.yaml:7 imagedigestmirrorset/d", "mapping"},
		{"policy in an icsp", "apiVersion: operator.openshift.io/v1alpha1\nkind: ImageContentSourcePolicy\nmetadata: {name: x}\nspec:\n  repositoryDigestMirrors:\n  - {source: a.io, mirrorSourcePolicy: NeverContactSource}\n",
			"file:p.yaml:6 imagecontentsourcepolicy/x#1", "mirrorSourcePolicy"},
		{"wrong apiVersion", "apiVersion: operator.openshift.io/v1alpha1\nkind: ImageDigestMirrorSet\nmetadata: {name: x}\n", "file:p.yaml:1 imagedigestmirrorset/x", "config.openshift.io/v1"},
		{"no apiVersion", "kind: ImageTagMirrorSet\nmetadata: {name: x}\n", "file:p.yaml:1 imagetagmirrorset/x", "config.openshift.io/v1"},
		{"list of another kind", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: x}\nspec:\n  imageTagMirrors: []\n", "file:p.yaml:5 imagedigestmirrorset/x", "ImageTagMirrorSet"},
		{"list outside of spec", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nimageDigestMirrors: []\n", "file:p.yaml:3 imagedigestmirrorset", "under spec"},
		{"misspelt list", "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nspec:\n  imageDigestMirror: []\n", "file:p.yaml:4 imagedigestmirrorset", `did you mean "imageDigestMirrors"`},
		{"content policy", "apiVersion: config.openshift.io/v1\nkind: ImageContentPolicy\nmetadata: {name: x}\n", "file:p.yaml:1 imagecontentpolicy/x", "nothing reads"},
		{"both in an install-config", "baseDomain: x\nimageContentSources: [{source: a.io}]\nimageDigestSources: [{source: a.io}]\n", "file:p.yaml:1", "same time"},
		{"policy in imageContentSources", "imageContentSources: [{source: a.io, sourcePolicy: NeverContactSource}]\n", "file:p.yaml:1 install-config/imageContentSources#1", "sourcePolicy"},
		{"mirrorSourcePolicy in an install-config", "imageDigestSources: [{source: a.io, mirrorSourcePolicy: NeverContactSource}]\n", "file:p.yaml:1 install-config/imageDigestSources#1", `did you mean "sourcePolicy"`},
		{"unknown sourcePolicy", "imageDigestSources: [{source: a.io, sourcePolicy: never}]\n", "file:p.yaml:1 install-config/imageDigestSources#1", "sourcePolicy"},
		{"misspelt list in an install-config", "baseDomain: x\nplatform: {}\nimageDigestSource: []\n", "file:p.yaml:3", `did you mean "imageDigestSources"`},
		{"tag in an install-config", "imageDigestSources: [{source: 'a.io/b:1'}]\n", "file:p.yaml:1 install-config/imageDigestSources#1", "tag"},
		{"digest in an install-config", "imageDigestSources: [{source: a.io/b, mirrors: ['c.io/b@sha256:0']}]\n", "file:p.yaml:1 install-config/imageDigestSources#1", "digest"},
		{"scheme in an install-config", "imageContentSources: [{source: 'https://a.io/b'}]\n", "file:p.yaml:1 install-config/imageContentSources#1", "scheme"},
		{"misspelt registrySources", "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec:\n  registrySource: {}\n", "file:p.yaml:5 image/cluster", "registrySources"},
		{"unknown in registrySources", "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec:\n  registrySources:\n    blockedRegistry: [a.io]\n", "file:p.yaml:6 image/cluster", "blockedRegistries"},
		{"empty scope", "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec:\n  registrySources:\n    blockedRegistries: ['']\n", "file:p.yaml:6 image/cluster blockedRegistries#1", "empty"},
		{"image config of another version", "apiVersion: config.openshift.io/v1alpha1\nkind: Image\nmetadata: {name: cluster}\n", "file:p.yaml:1 image/cluster", "config.openshift.io/v1"},
		{"not UTF-8", "- source: \xff.io\n", where, "UTF-8"},
		{"half a document", "- source: a.io\n  mirrors: [b.io, c", where + ":2", "correct the YAML"},
		{"half a key", "- source: a.io\n  mirr", where + ":2", "could not find expected ':'"},
		{"tab", "kind: a\nspec:\n  a: 1\n\tb: 2\nc: 1\n", where + ":4", "spaces"},
		{"tab in the first line", "\tkind: a\n", where + ":1", "spaces"},
		{"tab behind spaces", "a: 1\n  \tb: 2\n\n", where + ":2", "spaces"},
		{"tab below a list", idms + "\t- source: a.io\n" + idms, where + ":13", "spaces"},
		{"indentation", "a:\n  - source: x\n   mirrors: [a]\nb: 1\n", where + ":3", "did not find expected"},
		{"two values in the first line", "a: b: c\n", where + ":1", "mapping values are not allowed"},
		{"quote that is not closed", "a: 1\nb: \"c\nd: e\n\n\n", where + ":2", "end of stream"},
		{"bracket that is not closed", "a: [1,\n  2]\nb: {c: 1\n", where + ":3", "did not find expected"},
		{"second document does not parse", "a: 1\n---\nb: }\nc: 1\n", where + ":3", "correct"},
		{"unknown anchor", "a: 1\nb: *c\nd: 1\n", where + ":2", "put it in quotes: '*c'"},
		{"control character", "a: 1\nb: \x01\nc: 1\n", where + ":2", "control characters"},
		{"carriage returns", "a: 1\r\nb: @c\r\n", where + ":2", "cannot start"},
		{"byte order mark", "\ufeffa: 1\n\tb: 1\n", where + ":2", "spaces"},
		{"byte order mark, json", "\ufeff{\"a\": 1,\n\"b\": {]}}\n", where + ":2", "invalid character"},
		{"a word", "hello", "file:p.yaml:1", "no policy"},
		{"objects in a bare list", "- kind: ImageDigestMirrorSet\n", "file:p.yaml:1", "List"},
		{"misspelt in a bare list", "- source: a.io\n  mirorrs: []\n", "file:p.yaml:2 imagecontentsources#1", "mirrors"},
		{"second document", idms + "---\n- source: 1\n", "file:p.yaml:14 imagecontentsources#1", "string"},
		{"broken json", `{"kind": "ImageDigestMirrorSet", "spec": {"imageDigest`, where + ":1", "EOF"},
		{"broken json, array", "[{\"source\": \"a.io\",\n\"mirrors\": [\"b.io\"", where + ":2", "EOF"},
		{"broken json, second", "{\"kind\": \"x\"}\n{\"kind\": }", where + ":2", "invalid character"},
		{"json, field twice", "[{\"source\": \"a.io\",\n\"source\": \"b.io\"}]", where + ":2", "twice"},
		{"json, number", "[{\"source\": 1}]", where + ":1 imagecontentsources#1", "string"},
		{"json, too deep", strings.Repeat("[", 2000), where + ":1", "deep"},
		{"broken json, lines", "{\"kind\": \"ImageDigestMirrorSet\",\n\"spec\": {]}}", where + ":2", "invalid character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Decode(where, []byte(tc.text))
			wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
			if !ok {
				t.Fatalf("got %+v, %v, want an InvalidPolicyError", p, err)
			}
			if wrong.Origin != tc.origin || !strings.Contains(wrong.Err.Error(), tc.says) {
				t.Errorf("got origin %q and %q, want %q and something with %q", wrong.Origin, wrong.Err, tc.origin, tc.says)
			}
			if !cmp.Equal(p, policy.Policy{}) {
				t.Errorf("half a policy comes with the error: %+v", p)
			}
		})
	}
}

func TestMisspelt(t *testing.T) {
	for kind, want := range map[string]string{
		"ImageDigestMirrorsSet":      "ImageDigestMirrorSet",
		"ImageDigestMirrorSets":      "ImageDigestMirrorSet",
		"imagedigestmirrorset":       "ImageDigestMirrorSet",
		"IDMS":                       "ImageDigestMirrorSet",
		"ImageTagMirrorsets":         "ImageTagMirrorSet",
		"ImageMirrorSet":             "ImageTagMirrorSet",
		"ImageTagMirror":             "ImageTagMirrorSet",
		"ImageContentSourcePolicies": "ImageContentSourcePolicy",
		"ImageContentSource":         "ImageContentSourcePolicy",
		"ImageTagMirrorSetsList":     "ImageTagMirrorSet",
		"ConfigMap":                  "",
		"CatalogSource":              "",
		"ClusterImagePolicy":         "",
		"ImagePolicy":                "",
		"ImageStream":                "",
		"ImageSetConfiguration":      "",
		"MachineConfig":              "",
		"UpdateService":              "",
		strings.Repeat("x", 100_000): "",
	} {
		got, ok := misspelt(kind)
		if ok != (want != "") || ok && got.Name != want {
			t.Errorf("%.40q: got %q, %t, want %q", kind, got.Name, ok, want)
		}
	}
}

// A mistake in a long file is found without reading the file line by line.
func TestSyntaxErrorInLongFile(t *testing.T) {
	var b strings.Builder
	for i := range 1_000 {
		fmt.Fprintf(&b, "- source: quay.io/org%d\n  mirrors: [m.local/org%d]\n", i, i)
	}
	good := b.String()
	_, err := Decode(where, []byte(good+"\t- source: x\n"+good))
	if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || wrong.Origin != where+":2001" {
		t.Errorf("%v, want line 2001", err)
	}
}

// Aliases can make a small file endless; the reader stops.
func TestAliasBombs(t *testing.T) {
	var deep strings.Builder
	deep.WriteString("a: &a0 {source: a.io, mirrors: [b.io]}\n")
	for i := range 40 {
		fmt.Fprintf(&deep, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i+1, i+1, i, i)
	}
	wide := "- &m {source: a.io, mirrors: &l [" + strings.Repeat("b.io,", 2000) + "]}\n" + strings.Repeat("- {source: a.io, mirrors: *l}\n", 2000)
	for name, text := range map[string]string{
		"merged":                deep.String() + "imageContentSources: [{<<: *a40}]\n",
		"wide":                  wide,
		"self":                  "- &a\n  source: a.io\n  <<: *a\n",
		"self, in a large file": "- &a\n  source: a.io\n  <<: *a\n#" + strings.Repeat("x", 4<<20),
		"self list":             "&a [*a, *a]",
		"self items":            "apiVersion: v1\nkind: List\nitems: &i\n- apiVersion: v1\n  kind: List\n  items: *i\n- apiVersion: v1\n  kind: List\n  items: *i\n",
		"self deep":             "&o\napiVersion: v1\nkind: List\nitems: [*o, *o, *o]\n",
	} {
		p, err := Decode(where, []byte(text))
		if err == nil && len(p.Rules) > 0 {
			t.Errorf("%s: %d rules came of it", name, len(p.Rules))
		}
	}
}

func TestLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\nspec:\n  imageDigestMirrors:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - source: quay.io/org%d/repo\n    mirrors: [m1.local/org%d/repo, m2.local/org%d/repo]\n", i, i, i)
	}
	if p := decode(t, b.String()); len(p.Rules) != 10_000 {
		t.Errorf("%d rules of 10,000 sources (%d bytes)", len(p.Rules), b.Len())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(idms)
	f.Add("- &a\n  source: a.io\n  <<: *a\n")
	f.Add(`{"kind":"List","apiVersion":"v1","items":[{"kind":"Image","apiVersion":"config.openshift.io/v1","spec":{"registrySources":{"blockedRegistries":["x"]}}}]}`)
	f.Add("[{\"source\":\"a.io\",\"mirrors\":[\"b.io\"]}]\n{}")
	f.Add("baseDomain: x\nplatform: {}\nimageDigestSources: [{source: a.io, sourcePolicy: NeverContactSource}]\n")
	f.Add("apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedCluster\nspec: {imageContentSources: [{source: a, mirrors: [b]}]}\n---\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(where, []byte(text))
		if err != nil {
			wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
			if !ok || !strings.HasPrefix(wrong.Origin, where) || wrong.Origin == where && utf8.ValidString(text) {
				t.Fatalf("%q: %v says not where", text, err)
			}
			return
		}
		for _, r := range p.Rules {
			if r.Source == "" || !strings.HasPrefix(r.Origin, where) {
				t.Fatalf("%q: rule %+v lacks source or origin", text, r)
			}
			for _, m := range r.Mirrors {
				if m.Location == "" {
					t.Fatalf("%q: rule %+v has an empty mirror", text, r)
				}
			}
		}
	})
}

// The real files of a release are no policies; they must not be mistaken for any.
func TestRealPayload(t *testing.T) {
	dir := os.Getenv("MIRRORCHAIN_TEST_PAYLOAD")
	if dir == "" {
		t.Skip("MIRRORCHAIN_TEST_PAYLOAD is not set")
	}
	for _, name := range []string{"4.10-image-references.json", "4.10-installer-coreos-bootimages.yaml", "5.0-installer-coreos-bootimages.yaml"} {
		data, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Decode("file:"+name, data)
		if err != nil || len(p.Rules) != 0 || len(p.Skipped) != 1 || len(p.Warnings) != 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
