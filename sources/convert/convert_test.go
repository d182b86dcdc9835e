package convert_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/convert"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

func parse(t *testing.T, text string) policy.Policy {
	t.Helper()
	p, err := file.Parse("file:p", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const icsp = `apiVersion: operator.openshift.io/v1alpha1
kind: ImageContentSourcePolicy
metadata:
  name: release
  labels: {app: mirrors}
  annotations: {owner: team, kubectl.kubernetes.io/last-applied-configuration: "{}"}
  resourceVersion: "1"
spec:
  repositoryDigestMirrors:
  - source: quay.io/a
    mirrors: [m.io/a, n.io/a]
  - source: quay.io/b
    mirrors: [m.io/b]
`

const idms = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: release
  labels:
    app: mirrors
  annotations:
    owner: team
spec:
  imageDigestMirrors:
    - source: quay.io/a
      mirrors:
        - m.io/a
        - n.io/a
    - source: quay.io/b
      mirrors:
        - m.io/b
`

const conf = `[[registry]]
location = "quay.io"
blocked = true
[[registry.mirror]]
location = "m.io/q"
[[registry.mirror]]
location = "t.io"
pull-from-mirror = "tag-only"
[[registry]]
location = "b.io"
blocked = true
[[registry]]
location = "i.io"
insecure = true
`

const never = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: d}
spec:
  imageDigestMirrors:
  - {source: quay.io/a, mirrors: [m.io/a], mirrorSourcePolicy: NeverContactSource}
  - {source: docker.io, mirrors: [m.io/hub, n.io]}
`

const tags = `apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata: {name: t}
spec:
  imageTagMirrors:
  - {source: quay.io/a, mirrors: [m.io/a]}
`

func TestConvert(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		to         convert.Format
		want       string // files, one after another
		losses     []string
	}{
		{"ICSP to IDMS", icsp, convert.IDMS, idms, nil},
		{"IDMS to ICSP", idms, convert.ICSP, strings.NewReplacer("config.openshift.io/v1", "operator.openshift.io/v1alpha1", "ImageDigestMirrorSet", "ImageContentSourcePolicy", "imageDigestMirrors", "repositoryDigestMirrors").Replace(idms), nil},
		{"Never to ICSP", never, convert.ICSP, "", []string{"quay.io/a is not to be contacted", "images of quay.io/a by digest are pulled from m.io/a, quay.io itself, no longer from m.io/a", "images of quay.io/a by tag"}},
		{"ITMS to ICSP", tags, convert.ICSP, "", []string{"the mirrors for tags of quay.io/a", "images of quay.io/a by tag are pulled from quay.io itself, no longer from m.io/a, quay.io itself"}},
		{"IDMS to ITMS", idms, convert.ITMS, "", []string{"the mirrors for digests of quay.io/a", "the mirrors for digests of quay.io/b", "images of quay.io/a by digest", "images of quay.io/b by digest"}},
		{"registries.conf to the API", conf, convert.IDMS, `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: mirrors
spec:
  imageDigestMirrors:
    - source: quay.io
      mirrors:
        - m.io/q
      mirrorSourcePolicy: NeverContactSource
---
apiVersion: config.openshift.io/v1
kind: ImageTagMirrorSet
metadata:
  name: mirrors
spec:
  imageTagMirrors:
    - source: quay.io
      mirrors:
        - m.io/q
        - t.io
      mirrorSourcePolicy: NeverContactSource
---
apiVersion: config.openshift.io/v1
kind: Image
metadata:
  name: cluster
spec:
  registrySources:
    insecureRegistries:
      - i.io
    blockedRegistries:
      - b.io
`, nil},
		{"an insecure mirror", "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\ninsecure = true\n", convert.IDMS, "", []string{"images of m.io by digest are pulled from m.io itself (insecure), no longer from m.io itself", "images of m.io by tag"}},
		{"another location", "[[registry]]\nprefix = \"quay.io\"\nlocation = \"q.io\"\n", convert.IDMS, "", []string{"that quay.io itself is pulled from q.io"}},
		{"search registries", "unqualified-search-registries = ['a.io']\n" + conf, convert.IDMS, "", []string{"the search registry a.io"}},
		{"to registries.conf", idms, convert.RegistriesConf, "[[registry]]\n  prefix = \"quay.io/a\"\n  location = \"quay.io/a\"\n", nil},
		{"to an install-config", never, convert.InstallConfig, `imageDigestSources:
  - source: docker.io
    mirrors:
      - m.io/hub
      - n.io
  - source: quay.io/a
    mirrors:
      - m.io/a
    sourcePolicy: NeverContactSource
`, nil},
		{"a wildcard to an install-config", strings.ReplaceAll(idms, "quay.io/b", `"*.redhat.io"`), convert.InstallConfig, "", []string{"images of *.redhat.io by digest"}},
		{"to a HostedCluster", idms, convert.HostedCluster, `apiVersion: hypershift.openshift.io/v1beta1
kind: HostedCluster
metadata:
  name: example
  namespace: clusters
spec:
  imageContentSources:
    - source: quay.io/a
      mirrors:
        - m.io/a
        - n.io/a
    - source: quay.io/b
      mirrors:
        - m.io/b
`, nil},
		{"Never to a HostedCluster", never, convert.HostedCluster, "", []string{"images of quay.io/a by digest", "images of quay.io/a by tag"}},
		{"to the environment", idms, convert.Env, "", []string{"images of quay.io/a by tag are pulled from m.io/a, n.io/a, quay.io itself, no longer from quay.io itself", "images of quay.io/b by tag"}},
		{"both kinds to the environment", strings.ReplaceAll(never, ", mirrorSourcePolicy: NeverContactSource", "") + "---\n" + strings.Replace(tags, "  - {source: quay.io/a, mirrors: [m.io/a]}", "  - {source: quay.io/a, mirrors: [m.io/a]}\n  - {source: docker.io, mirrors: [m.io/hub, n.io]}", 1), convert.Env, "OPENSHIFT_IMG_OVERRIDES=docker.io=m.io/hub,docker.io=n.io,quay.io/a=m.io/a\n", nil},
		{"to containerd", strings.ReplaceAll(never, "quay.io/a", "quay.io"), convert.HostsTOML, `server = "https://registry-1.docker.io"

[host."https://m.io/v2/hub"]
capabilities = ["pull"]
override_path = true

[host."https://n.io"]
capabilities = ["pull"]
server = "https://m.io/v2/a"
override_path = true

[host."https://m.io/v2/a"]
capabilities = ["pull"]
override_path = true
`, nil},
		{"a path to containerd", idms, convert.HostsTOML, "", []string{"the mirrors of quay.io/a: containerd mirrors whole registries only", "the mirrors of quay.io/b"}},
		{"registries.conf to containerd", "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\ninsecure = true\n", convert.HostsTOML, "server = \"https://quay.io\"\n\n[host.\"https://m.io\"]\ncapabilities = [\"pull\", \"resolve\"]\nskip_verify = true\n", nil},
		{"to k3s", "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"m.io/hub\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"n.io/hub\"\n", convert.K3s, `mirrors:
  docker.io:
    endpoint:
      - https://m.io
      - https://n.io
    rewrite:
      ^(.*)$: hub/$1
configs:
  m.io:
    tls:
      insecure_skip_verify: true
`, nil},
		{"a path to k3s", "[[registry]]\nlocation = \"quay.io/a\"\n[[registry.mirror]]\nlocation = \"m.io/x\"\n", convert.K3s, "", []string{"that quay.io/a alone is mirrored: all of quay.io is asked for at these endpoints first"}},
		{"other paths to k3s", never, convert.K3s, "", []string{"the mirrors of docker.io: they have different paths", "that quay.io/a is not to be contacted", "that mirrors of quay.io/a are for digests or for tags only", "that quay.io/a alone"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := convert.Convert(convert.Config{To: tc.to}, parse(t, tc.text))
			lost, ok := errors.AsType[*convert.LossError](err)
			if err != nil && !ok || ok != (len(tc.losses) > 0) {
				t.Fatalf("%v; want %d losses", err, len(tc.losses))
			}
			if ok {
				compareLosses(t, lost.Losses, tc.losses)
				got, err = convert.Convert(convert.Config{To: tc.to, AllowLoss: true}, parse(t, tc.text))
				if err != nil || len(got.Losses) != len(lost.Losses) {
					t.Errorf("with losses allowed: %v, %v", got.Losses, err)
				}
				return
			}
			var text strings.Builder
			for _, f := range got.Files {
				text.Write(f.Data)
			}
			if text.String() != tc.want && (tc.to != convert.RegistriesConf || !strings.HasPrefix(text.String(), tc.want)) {
				t.Errorf("got\n%s\nwant\n%s", text.String(), tc.want)
			}
		})
	}
}

func compareLosses(t *testing.T, got []convert.Loss, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("losses: %q\nwant %q", got, want)
		return
	}
	for i := range got {
		if !strings.Contains(got[i].What, want[i]) {
			t.Errorf("loss %q; want %q", got[i], want[i])
		}
	}
}

// Names that are there twice, as oc-mirror v1 writes them, and names of files.
func TestNames(t *testing.T) {
	got, err := convert.Convert(convert.Config{To: convert.IDMS}, parse(t, icsp+"---\n"+icsp+"---\n"+strings.ReplaceAll(icsp, "quay.io/a", "b.io")))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"release", "release-2", "release-3"} {
		if f := got.Files[i]; f.Name != "imagedigestmirrorset-"+want+".yaml" || !strings.Contains(string(f.Data), "\n  name: "+want+"\n") {
			t.Errorf("%s\n%s", f.Name, f.Data)
		}
	}
}

// What the API server refuses is not written.
func TestRefused(t *testing.T) {
	_, err := convert.Convert(convert.Config{To: convert.IDMS}, parse(t, strings.ReplaceAll(icsp, "n.io/a", "n.io/A")))
	if err == nil || !strings.Contains(err.Error(), "n.io/A") {
		t.Error(err)
	}
	if _, err := convert.Convert(convert.Config{To: "toml"}, parse(t, icsp)); err == nil {
		t.Error("an unknown format")
	}
	if _, err := convert.Convert(convert.Config{To: convert.HostedCluster, Name: "x"}, parse(t, icsp)); err == nil {
		t.Error("a name without a namespace")
	}
}

func TestMigrate(t *testing.T) {
	files := []convert.File{
		{"a.yaml", []byte("# of the site\n---\n# a comment\n" + icsp + "---\napiVersion: v1\nkind: ConfigMap\nmetadata:   {name: x} # as it is\ndata: {k: v}\n")},
		{"b.yaml", []byte("apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(icsp), "\n", "\n  ") + "\n")},
		{"c.yaml", []byte(idms)},
		{"d.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pool}\ndata:\n  config: |\n    " + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(icsp, "release", "pool")), "\n", "\n    ") + "\n")},
		{"e.yaml", []byte("apiVersion: operator.openshift.io/v1alpha1\nkind: ImageContentSourcePolicyList\nitems:\n- metadata: {name: item, uid: x}\n  spec: {repositoryDigestMirrors: [{source: e.io, mirrors: [m.io/e]}]}\n")},
	}
	got, err := convert.Migrate(files, false)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	text := map[string]string{}
	for _, f := range got.Files {
		names = append(names, f.Name)
		text[f.Name] = string(f.Data)
	}
	if strings.Join(names, " ") != "a.yaml b.yaml d.yaml e.yaml" {
		t.Fatalf("changed: %q", names)
	}
	for name, wants := range map[string][]string{
		"a.yaml": {"# of the site\n---\n# a comment\napiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\n", "name: release-2\n", "labels: {app: mirrors}", "owner: team", "imageDigestMirrors:", "---\napiVersion: v1\nkind: ConfigMap\nmetadata:   {name: x} # as it is\ndata: {k: v}\n"},
		"b.yaml": {"kind: List", "kind: ImageDigestMirrorSet", "name: release-3"},
		"d.yaml": {"config: |", "    kind: ImageDigestMirrorSet", "    name: pool"},
		"e.yaml": {"apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSetList", "metadata: {name: item}"},
	} {
		for _, want := range wants {
			if !strings.Contains(text[name], want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text[name])
			}
		}
		for _, gone := range []string{"ImageContentSourcePolicy", "repositoryDigestMirrors", "resourceVersion", "last-applied", "uid"} {
			if strings.Contains(text[name], gone) {
				t.Errorf("%s has %q:\n%s", name, gone, text[name])
			}
		}
	}
	second, err := convert.Migrate(got.Files, false)
	if err != nil || len(second.Files) != 0 {
		t.Errorf("a second time: %v, %v", second, err)
	}

	twice := []convert.File{{"a.yaml", []byte(strings.ReplaceAll(icsp, "m.io/a, n.io/a", "m.io/a, m.io/a"))}}
	if _, err := convert.Migrate(twice, false); err == nil || !strings.Contains(err.Error(), "m.io/a is named twice") {
		t.Error(err)
	}
	if got, err := convert.Migrate(twice, true); err != nil || len(got.Losses) != 1 || strings.Count(string(got.Files[0].Data), "m.io/a") != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := convert.Migrate([]convert.File{{"a.yaml", []byte(strings.ReplaceAll(icsp, "m.io/b", "https://m.io/b"))}}, true); err == nil {
		t.Error("a URL is no mirror")
	}
}
