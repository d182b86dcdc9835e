package file_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

const digest = "@sha256:e96047c50caf0aaffeaf7ed0fe50bd3f574ad347cd0f588a56b876f79cc29d3e"

// rulesOf merges what lies at paths below testdata/cases.
func rulesOf(t *testing.T, cfg file.Config, rules policy.RulesConfig, paths ...string) (*policy.Rules, []policy.Policy, error) {
	t.Helper()
	var policies []policy.Policy
	for _, path := range paths {
		src, err := file.Open("testdata/cases/"+path, cfg)
		must(t, err)
		p, err := src.Load(t.Context())
		if err != nil {
			return nil, nil, err
		}
		policies = append(policies, p)
	}
	r, err := policy.NewRules(rules, policies...)
	return r, policies, err
}

// candidatesOf lists where image is pulled from, with "!" where TLS is not verified.
func candidatesOf(t *testing.T, r *policy.Rules, image string) string {
	t.Helper()
	candidates, err := r.Candidates(imageref.MustParse(image))
	must(t, err)
	var out []string
	for _, c := range candidates {
		name := c.Ref.Name()
		if c.Insecure {
			name += "!"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// Policies as people have them answer as nodes do. "" is an image that no node pulls.
func TestCases(t *testing.T) {
	const mce, ocp, release = "registry.redhat.io/multicluster-engine/x", "quay.io/openshift-release-dev/ocp-release", "mirror.example.com:5000/openshift/release-images"
	for _, tc := range []struct{ paths, image, want string }{
		{"01-machineconfig", mce, "mirror.example.com:5000/multicluster-engine/x " + mce},
		{"01-machineconfig/99-worker-zzz-container-registries.yaml", mce, "mirror.example.com:5000/multicluster-engine/x " + mce},
		{"01b-mixed", mce, "mirror.example.com:5000/multicluster-engine/x " + mce},
		{"01b-mixed", ocp, "mirror.example.com:5000/ocp/ocp-release " + ocp},
		{"02-assisted-configmap", "registry.stage.redhat.io/x", "brew.example.com/x registry.stage.redhat.io/x"},
		{"03-hosted-image-config", ocp, release + "!"},
		{"03-hosted-image-config", "quay.io/other", ""},
		{"03-hosted-image-config/equivalent.yaml.txt", ocp, release + "!"},
		{"03-hosted-image-config/equivalent.yaml.txt", "quay.io/other", ""},
		{"03-hosted-image-config/onlyimage.yaml.txt", ocp, ""},
		{"04-nodepool-configmap", "quay.io/app/x", "mirror.example.com/app/x"},
		{"07-dropin-over-idms", mce, "mirror-b.example.com:5000/multicluster-engine/x " + mce},
		{"07-dropin-over-idms/idms.yaml 07-dropin-over-idms/registries.conf.d", mce, "mirror-b.example.com:5000/multicluster-engine/x " + mce},
		{"07b-dropin-block/idms.yaml 07b-dropin-block/d", "docker.io/library/x", ""},
		{"10-toml-misplaced/g-insecure-mirror-table.conf", "docker.io/library/x", "registry.corp.example:5000/dockerhub/library/x docker.io/library/x"},
		{"10-toml-misplaced/j-aliases.conf", "docker.io/library/x", "cache.example.com/docker/library/x docker.io/library/x"},
		{"10-toml-misplaced/f-mirrors.conf", "quay.io/x", "quay.io/x"},
		{"13-list-no-apiversion", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"13-list-no-apiversion", ocp, "mirror.example.com:5000/ocp/ocp-release " + ocp},
		{"20-encoding/bom.yaml", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"20-encoding/bom-twice.yaml", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"20-encoding/crlf.yaml", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"20-encoding/cr-only.yaml", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"20-encoding/crlf.conf", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"20-encoding/bom.conf", "quay.io/app/x", "quay.io/app/x"},
		{"24-toml-orphan-mirror/b.conf", "docker.io/library/x", "localhost:5000/library/x! docker.io/library/x!"},
		{"24-toml-orphan-mirror/e-search.conf", "registry.access.redhat.com/x", "mirror.example.com:5000/rh/x registry.access.redhat.com/x"},
		{"25-directory-list", "quay.io/app/x", "mirror.example.com/app/x quay.io/app/x"},
		{"27-rendered-plus-idms/node", mce, "mirror-b.example.com:5000/multicluster-engine/x " + mce},
		{"27-rendered-plus-idms", mce, "mirror-a.example.com/mce/x"},
		{"27-rendered-plus-idms/idms.yaml 27-rendered-plus-idms/registries.conf", mce, "mirror-a.example.com/mce/x"},
		{"28-itms-only", "nvcr.io/nvidia/x", "nvcr.io/nvidia/x"},
		{"30-registries-mirror/a.conf", "docker.io/library/x", "docker.io/library/x"},
		{"32-conf-in-confd/registries.conf.d", "docker.io/library/x", "registry-proxy:5000/library/x! docker.io/library/x"},
		{"32-conf-in-confd/registries.conf.d", "quay.io/x", "mirror.example.com/quay/x quay.io/x"},
		{"32-conf-in-confd", "quay.io/x", "mirror.example.com/quay/x quay.io/x"},
		{"34-registrysources/both.yaml", "quay.io/x", ""},
		{"44-real-syncset", "registry.redhat.io/rhacm2/x", "mirror.example.com:443/acm-d/x registry.redhat.io/rhacm2/x"},
	} {
		r, _, err := rulesOf(t, file.Config{}, policy.RulesConfig{}, strings.Fields(tc.paths)...)
		if err != nil {
			t.Errorf("%s: %v", tc.paths, err)
			continue
		}
		if got := candidatesOf(t, r, tc.image+digest); got != tc.want {
			t.Errorf("%s: %s is pulled from %q, want %q", tc.paths, tc.image, got, tc.want)
		}
	}
}

// What is wrong is said in the words of whoever wrote the file.
func TestCasesRefused(t *testing.T) {
	const template = "unrendered template"
	for path, want := range map[string]string{
		"06-image-spec-misplaced":                "image.yaml:8 image/cluster: blockedRegistries belongs under spec.registrySources",
		"09-template/a-envsubst.yaml":            "a-envsubst.yaml:7 imagecontentsourcepolicy/cloud-pak-for-data-mirror#1: this is an " + template + " (${PRIVATE_REGISTRY})",
		"09-template/b-angle.yaml":               "b-angle.yaml:7 imagecontentsourcepolicy/support-tools-policy#1: this is an " + template + " (<local-registry>)",
		"09-template/c-jinja.yaml":               "c-jinja.yaml:4: this is an " + template,
		"09-template/d-jinja-inline.yaml":        "d-jinja-inline.yaml:8: this is an " + template,
		"09-template/e-helm.yaml":                "e-helm.yaml:1: this is an " + template,
		"09-template/f-jinja-quoted.yaml":        "f-jinja-quoted.yaml:8: this is an " + template,
		"10-toml-misplaced/a-ansible.conf":       "unqualified-search-registries belongs to the top of the file",
		"10-toml-misplaced/b-v1.conf":            "version 1 of registries.conf",
		"10-toml-misplaced/c-v1v2mix.conf":       "[registries.search] on line 1; unqualified-search-registries means the same now",
		"10-toml-misplaced/e-singlebracket.conf": "[registry.mirror] on line 3 is a single table; write [[registry.mirror]]",
		"10-toml-misplaced/h-scheme.conf":        "has a scheme",
		"16-hosts-toml/env":                      "name it as env:OPENSHIFT_IMG_OVERRIDES",
		"20-encoding/fence.yaml":                 "line 1 is a fence of Markdown",
		"20-encoding/nbsp-after-colon.yaml":      "a non-breaking space (U+00A0)",
		"20-encoding/nbsp-indent.yaml":           "a non-breaking space (U+00A0)",
		"20-encoding/prompt.yaml":                "line 1 is a command at a prompt",
		"20-encoding/scheme-slash.yaml":          "write it without the scheme",
		"20-encoding/smartquotes.yaml":           "a typographic quote (U+201C)",
		"20-encoding/stray-eof.yaml":             "here-document",
		"20-encoding/tab-after-dash.yaml":        "the line has a tab (U+0009)",
		"20-encoding/tab.yaml":                   "YAML allows no tabs there",
		"20-encoding/trailing-space.yaml":        "begins or ends with white space",
		"20-encoding/utf16.yaml":                 "save it as UTF-8",
		"20-encoding/zwsp.yaml":                  "an invisible character (U+200B)",
		"24-toml-orphan-mirror/a.conf":           "[[registry.mirror]] on line 2 stands before any [[registry]]",
		"24-toml-orphan-mirror/c-yamlstyle.conf": "c-yamlstyle.conf:2: expected '.' or '=', but got ':' instead; write KEY = VALUE",
		"24-toml-orphan-mirror/d-plural.conf":    "registries on line 1 is a list of tables, and nodes do not load the file; did you mean [[registry]]?",
		"30-registries-mirror/b.conf":            "version 1 of registries.conf",
		"30-registries-mirror/c.conf":            "[registry] on line 1 is a single table; write [[registry]]",
		"30-registries-mirror/d.conf":            "mirror must be [[registry.mirror]] tables with a location, not a list",
		"30-registries-mirror/e.conf":            "insecure must be true or false, not a string; remove the quotes",
		"30-registries-mirror/f.conf":            "want all, digest-only or tag-only",
		"30-registries-mirror/g.conf":            "needs a location",
		"34-registrysources/domainname.yaml":     "allowedRegistries belongs under spec.registrySources",
		"41-two-clusters":                        "policies of 2 clusters, and no image is pulled by all of them: clusters/hc-a (file:testdata/cases/41-two-clusters/hc-a.yaml:1 hostedcluster/hc-a), clusters/hc-b",
		"45-missing-separator":                   "all.yaml:6: --- is missing before line 6",
	} {
		_, _, err := rulesOf(t, file.Config{}, policy.RulesConfig{}, path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "map[string]") {
			t.Errorf("%s:\ngot  %v\nwant %s", path, err, want)
		}
	}
}

// What is read and not enforced, and what is not read, is named.
func TestCasesWarned(t *testing.T) {
	for path, want := range map[string]string{
		"02-assisted-configmap":            "ca-bundle.crt is a CA bundle",
		"10-toml-misplaced/f-mirrors.conf": `the key "registry.mirrors" is not known and is ignored, as nodes ignore it; mirrors are [[registry.mirror]] tables`,
		"10-toml-misplaced/i-crio.conf":    "is CRI-O's crio.conf, which is not read as policy",
		"16-hosts-toml/hosts.toml":         "is containerd's hosts.toml",
		"16-hosts-toml/config.toml":        "is containerd's config.toml",
		"16-hosts-toml":                    "is Docker's daemon.json",
		"23-nohost-source":                 `the source "operator-framework" matches no image, so it has no effect`,
		"24-toml-orphan-mirror/b.conf":     `"registry.mirror.short-name-mode" is not known and is ignored, as nodes ignore it; it belongs to the top of the file`,
		"25-directory-list/images.yaml":    `no mirror policy (kind "list"`,
		"30-registries-mirror/a.conf":      `the key "registries.mirror" is not known`,
		"34-registrysources/tag.yaml":      `the blocked scope "reg1.io/myrepo/myapp:latest" matches no image, so it has no effect`,
		"34-registrysources/both.yaml":     "allowedRegistries is not enforced",
	} {
		r, policies, err := rulesOf(t, file.Config{}, policy.RulesConfig{}, path)
		must(t, err)
		var all []string
		for _, w := range slices.Concat(policies[0].Warnings, r.Warnings()) {
			all = append(all, w.Message)
			if dead := w.Code == policy.WarnDeadScope; dead && !w.IsGeneral() {
				t.Errorf("%s: a warning about what concerns no image is not shown for every image", path)
			}
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", path, got, want)
		}
	}
}

// The same mirror from a rendered registries.conf and from the object that it was
// rendered from is one, with both origins.
func TestCaseRenderedBesideObject(t *testing.T) {
	r, _, err := rulesOf(t, file.Config{}, policy.RulesConfig{}, "27-rendered-plus-idms/registries.conf", "27-rendered-plus-idms/idms.yaml")
	must(t, err)
	candidates, err := r.Candidates(imageref.MustParse("registry.redhat.io/multicluster-engine/x" + digest))
	must(t, err)
	if len(candidates) != 1 || len(candidates[0].Origins) != 2 || !strings.Contains(candidates[0].Origins[0], "[[registry]]#1") || !strings.Contains(candidates[0].Origins[1], "imagedigestmirrorset/idms-release-0#1") {
		t.Errorf("got %+v", candidates)
	}
}

// Policies of two clusters in sources of their own are merged, and said to be.
func TestCaseTwoClustersInTwoSources(t *testing.T) {
	const dir = "41-two-clusters/"
	for paths, want := range map[string]int{"hc-a.yaml hc-b.yaml mgmt-idms.yaml": 1, "hc-a.yaml mgmt-idms.yaml": 0, "hc-a.yaml hc-a.yaml": 0} {
		var all []string
		for _, p := range strings.Fields(paths) {
			all = append(all, dir+p)
		}
		r, _, err := rulesOf(t, file.Config{}, policy.RulesConfig{}, all...)
		must(t, err)
		got := slices.DeleteFunc(r.Warnings(), func(w policy.Warning) bool { return w.Code != policy.WarnSeveralClusters })
		if len(got) != want {
			t.Errorf("%s: %+v, want %d warnings", paths, got, want)
		}
		for _, w := range got {
			if !w.IsGeneral() || len(w.Origins) != 2 || !strings.Contains(w.Message, "2 clusters, and no image is pulled by all of them: clusters/hc-a (file:testdata/cases/41-two-clusters/hc-a.yaml:1 hostedcluster/hc-a), clusters/hc-b (") {
				t.Errorf("%+v", w)
			}
		}
	}
	_, policies, err := rulesOf(t, file.Config{HostedCluster: "clusters/hc-b"}, policy.RulesConfig{}, dir+"hc-a.yaml", dir+"hc-b.yaml")
	must(t, err)
	if len(policies[0].Clusters)+len(policies[0].Rules) != 0 || len(policies[1].Clusters) != 1 {
		t.Errorf("got %+v", policies)
	}
}

// Each case that is there is asked about.
func TestCasesAreAllThere(t *testing.T) {
	dirs, err := os.ReadDir("testdata/cases")
	must(t, err)
	if len(dirs) != 24 {
		t.Errorf("%d cases, want 24", len(dirs))
	}
}

// One of several clusters can be chosen: its policies count, and those that name no
// cluster.
func TestHostedCluster(t *testing.T) {
	for chosen, want := range map[string]string{"clusters/hc-a": "mirror-a.example.com", "clusters/hc-b": "mirror-b.example.com"} {
		dir := t.TempDir()
		for _, name := range []string{"hc-a.yaml", "hc-b.yaml"} {
			write(t, dir+"/"+name, read(t, "testdata/cases/41-two-clusters/"+name))
		}
		src, err := file.Open(dir, file.Config{HostedCluster: chosen})
		must(t, err)
		p, err := src.Load(t.Context())
		must(t, err)
		if len(p.Rules) != 1 || !strings.HasPrefix(p.Rules[0].Mirrors[0].Location, want) || len(p.Skipped) != 1 {
			t.Errorf("%s: got %+v", chosen, p)
		}
	}
	_, policies, err := rulesOf(t, file.Config{HostedCluster: "clusters/hc-b"}, policy.RulesConfig{}, "41-two-clusters")
	must(t, err)
	if got := fmt.Sprint(sourcesOf("testdata/cases/41-two-clusters", policies[0])); got != "[quay.io/openshift-release-dev file:hc-b.yaml:6 hostedcluster/hc-b#1 quay.io/openshift-release-dev file:mgmt-idms.yaml:6 imagedigestmirrorset/mgmt#1]" {
		t.Errorf("got %s", got)
	}
	_, policies, err = rulesOf(t, file.Config{HostedCluster: "clusters/nosuch"}, policy.RulesConfig{}, "41-two-clusters/hc-a.yaml")
	must(t, err)
	if w := policies[0].Warnings; len(w) == 0 || !strings.Contains(w[0].Message, "none of the clusters here is clusters/nosuch, which was chosen: clusters/hc-a") {
		t.Errorf("got %v", w)
	}
	// A HostedControlPlane is the same cluster, and one without policies is none.
	const same = "apiVersion: hypershift.openshift.io/v1beta1\nkind: HostedControlPlane\nmetadata: {name: hc-a, namespace: clusters-hc-a}\nspec:\n  imageContentSources: [{source: a.io, mirrors: [m.io]}]\n"
	const none = "---\napiVersion: hypershift.openshift.io/v1beta1\nkind: HostedCluster\nmetadata: {name: hc-c, namespace: clusters}\nspec: {}\n"
	p, err := file.Parse("x", []byte(same+none+"---\n"+read(t, "testdata/cases/41-two-clusters/hc-a.yaml")))
	if err != nil || len(p.Rules) != 2 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}
