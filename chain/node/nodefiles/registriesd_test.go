package nodefiles_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// folder makes a registries.d of names and texts, in turn.
func folder(texts ...string) fs.FS {
	files := fstest.MapFS{}
	for i := 0; i < len(texts); i += 2 {
		files[texts[i]] = &fstest.MapFile{Data: []byte(texts[i+1])}
	}
	return files
}

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// The most specific entry counts that has the key. The module test/peers asks nodes' own
// code the same.
func TestReads(t *testing.T) {
	r, err := nodefiles.ReadRegistriesD(folder(
		"a.yaml", "docker:\n  quay.io: {use-sigstore-attachments: true}\n  quay.io/ocp/release: {lookaside: file:///x}\n  quay.io/off: {use-sigstore-attachments: false}\n",
		"b.yaml", "docker:\n  '*.corp': {use-sigstore-attachments: yes}\n  m.corp:5000: {use-sigstore-attachments: false}\n  more: {unknown: [1]}\nother: 1\n",
		"c.yaml", "",
		"d.conf", "docker: [not read]",
		"e.yaml/inside", "docker: [not read]",
	), "dir")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at    string
		reads bool
		entry string
	}{
		{"quay.io/ocp/release", true, `"quay.io" in dir/a.yaml`}, // the more specific entry says nothing of it
		{"quay.io/off/x", false, `"quay.io/off" in dir/a.yaml`},
		{"quay.io:443/ocp", false, ""},
		{"a.m.corp:8443/x", true, `"*.corp" in dir/b.yaml`},
		{"m.corp:5000/x", false, `"m.corp:5000" in dir/b.yaml`},
		{"docker.io/library/x", false, ""},
	} {
		if reads, entry := r.Reads(imageref.MustParse(c.at + digest)); reads != c.reads || entry != c.entry {
			t.Errorf("%s: %v, %q, want %v, %q", c.at, reads, entry, c.reads, c.entry)
		}
	}
	r, err = nodefiles.ReadRegistriesD(folder("x.yaml", "default-docker: {use-sigstore-attachments: true}\ndocker: {quay.io/off: {use-sigstore-attachments: false}}"), "dir")
	if err != nil {
		t.Fatal(err)
	}
	if reads, entry := r.Reads(imageref.MustParse("quay.io/a" + digest)); !reads || entry != "default-docker in dir/x.yaml" {
		t.Error(reads, entry)
	}
	if reads, _ := r.Reads(imageref.MustParse("quay.io/off/a" + digest)); reads {
		t.Error("the default goes before an entry")
	}
}

// The error names the file and the entry, all files that are wrong are named.
func TestRegistriesDRefused(t *testing.T) {
	const one = "docker: {quay.io: {use-sigstore-attachments: true}}"
	many := fstest.MapFS{}
	for i := range 1001 {
		many[strings.Repeat("x", i+1)+".yaml"] = &fstest.MapFile{}
	}
	for _, c := range []struct {
		files fs.FS
		want  []string
	}{
		{folder("a.yaml", one, "b.yaml", one), []string{`dir/b.yaml: docker: "quay.io" is in dir/a.yaml already`, "pulls nothing"}},
		{folder("a.yaml", "default-docker: {}", "b.yaml", "default-docker: {}"), []string{"dir/b.yaml: default-docker is in dir/a.yaml already"}},
		{folder("a.yaml", "docker: {quay.io: {use-sigstore-attachments: perhaps}}", "b.yaml", "docker: ["), []string{"dir/a.yaml: unmarshal errors", "line 1: cannot unmarshal !!str `perhaps` into bool", "dir/b.yaml: line 1"}},
		{folder("a.yaml", "docker: {quay.io: {lookaside: [1]}}"), []string{"dir/a.yaml"}},
		{folder("a.yaml", one+"\ndocker: {}"), []string{`dir/a.yaml: unmarshal errors`, "already defined"}},
		{folder("a.yaml", "#"+strings.Repeat("x", 1<<20)), []string{"dir/a.yaml: larger than 1048576 bytes"}},
		{many, []string{"dir: 1001 files *.yaml; at most 1000"}},
	} {
		r, err := nodefiles.ReadRegistriesD(c.files, "dir")
		if err == nil || r != nil {
			t.Errorf("%v: no error", c.want)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q", err, want)
			}
		}
	}
}

// By our own rendering nodes look at every endpoint of an image that a policy covers.
func TestReadsOwnRendering(t *testing.T) {
	rules := newRules(t, policy.Policy{Rules: []policy.Rule{{Source: "quay.io/openshift-release-dev", Mirrors: []policy.Mirror{{Location: "mirror.corp:8443/ocp"}}}}})
	files := render(t, rules, openShift(t, 22))
	r, err := nodefiles.ReadRegistriesD(folder("s.yaml", files[nodefiles.SigstoreRegistries]), "dir")
	if err != nil {
		t.Fatal(err)
	}
	all, err := rules.Candidates(imageref.MustParse("quay.io/openshift-release-dev/ocp-v4.0-art-dev" + digest))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, c := range all {
		if reads, _ := r.Reads(c.Ref); !reads {
			t.Errorf("%s is not read", c.Ref)
		}
	}
}

func FuzzRegistriesD(f *testing.F) {
	f.Add("docker: {quay.io: {use-sigstore-attachments: true}}", "default-docker: {use-sigstore-attachments: no}")
	f.Add("docker: &a {x: {lookaside: y}}\nother: *a", "docker: {? [a] : b}")
	f.Add("default-docker:\n  sigstore: file:///\n", "- 1\n---\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		r, err := nodefiles.ReadRegistriesD(folder("one.yaml", one, "two.yaml", two), "dir")
		if err != nil {
			if r != nil || !strings.Contains(err.Error(), "dir/") {
				t.Errorf("%v, %v", r, err)
			}
			return
		}
		reads, entry := r.Reads(imageref.MustParse("quay.io/a/b" + digest))
		if reads && !strings.HasSuffix(entry, "dir/one.yaml") && !strings.HasSuffix(entry, "dir/two.yaml") {
			t.Errorf("nobody says so: %q", entry)
		}
		// The order of files means nothing but for words.
		swapped, err := nodefiles.ReadRegistriesD(folder("one.yaml", two, "two.yaml", one), "dir")
		if err != nil {
			t.Fatal(err)
		}
		if reversed, _ := swapped.Reads(imageref.MustParse("quay.io/a/b" + digest)); reversed != reads {
			t.Errorf("%v, and %v the other way round", reads, reversed)
		}
	})
}
