package imagelist

import (
	"slices"
	"strings"
	"testing"
)

const sha = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		file     string
		want     []string // "NAME|IMAGE"
		warnings int
	}{
		"pull specs":         {"# two\nquay.io/a/b:v1\n\n  h.test:5000/c" + sha + "  \n", []string{"|quay.io/a/b:v1", "|h.test:5000/c" + sha}, 0},
		"mapping.txt":        {"quay.io/a/b" + sha + "=mirror.test/a/b:tag\ndocker://quay.io/c:1=docker://m.test/c:1\nquay.io/d:1 m.test/d:1\n", []string{"|quay.io/a/b" + sha, "|quay.io/c:1", "|quay.io/d:1"}, 0},
		"of oc image mirror": {"quay.io/a:1=m.test/a:1 docker://quay.io/b:1=docker://m.test/b:1 # two\n\tquay.io/c:1 = m.test/c:1\nquay.io/d:1 m.test/d:1 m2.test/d:1\n quay.io/e:1#e: f\n", []string{"|quay.io/a:1", "|quay.io/b:1", "|quay.io/c:1", "|quay.io/d:1", "|quay.io/e:1"}, 0},
		"half a mapping":     {"quay.io/a:1 quay.io/b:1=m.test/b:1\nquay.io/c:1=\n=m.test/d:1\n", []string{"|quay.io/c:1"}, 2},
		"a comment on top":   {"quay.io/a:1 # note: all of it\n", []string{"|quay.io/a:1"}, 0},
		"a mark on top":      {"\ufeffquay.io/a:1\n", []string{"|quay.io/a:1"}, 0},
		"a mark before JSON": {"\ufeff{\"name\":\"p.v1\",\"image\":\"quay.io/b:1\"}", []string{"p.v1|quay.io/b:1"}, 0},
		"one is wrong":       {"quay.io/a/b:v1\nquay.io/A B!\nhttps://quay.io/c\n", []string{"|quay.io/a/b:v1"}, 2},
		"words":              {"quay.io/a:1\nnot an image\n", []string{"|quay.io/a:1"}, 1},
		"Windows":            {"quay.io/a:1\r\nquay.io/b:1\r\n", []string{"|quay.io/a:1", "|quay.io/b:1"}, 0},
		"manifests": {`apiVersion: apps/v1
kind: Deployment
metadata: {name: op, annotations: {image: "no image, but text / text"}}
spec:
  template:
    spec:
      initContainers: [{name: init, image: busybox}]
      containers:
      - name: manager
        image: quay.io/a/op:1
        env: [{name: RELATED_IMAGE_X, value: quay.io/a/x:1}, {name: OTHER, value: quay.io/no:1}]
      volumes: [{name: v, image: {reference: quay.io/a/vol:1}}]
---
apiVersion: v1
kind: List
items:
- {kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: quay.io/a/c` + sha + `}]}}
---
kind: CatalogSource
metadata: {name: cs}
spec: {image: quay.io/catalog:v4.17}
---
kind: ConfigMap
metadata: {name: empty}
`, []string{"Deployment op: manager|quay.io/a/op:1", "Deployment op: RELATED_IMAGE_X|quay.io/a/x:1", "Deployment op: init|docker.io/library/busybox", "Deployment op: v|quay.io/a/vol:1", "Pod p: c|quay.io/a/c" + sha, "CatalogSource cs|quay.io/catalog:v4.17"}, 0},
		"catalog in JSON": {`{"schema":"olm.package","name":"p"} {"schema":"olm.bundle","name":"p.v1","image":"quay.io/b:1","relatedImages":[{"name":"op","image":"quay.io/op:1"},{"name":"","image":"quay.io/x:1"}]}`,
			[]string{"p.v1|quay.io/b:1", "p.v1: op|quay.io/op:1", "p.v1|quay.io/x:1"}, 0},
		"catalog in YAML": {"---\nschema: olm.bundle\nname: p.v1\nimage: quay.io/b:1\nrelatedImages:\n- name: op\n  image: quay.io/op:1\n", []string{"p.v1|quay.io/b:1", "p.v1: op|quay.io/op:1"}, 0},
		"an image stream": {`{"kind":"ImageStream","metadata":{"name":"4.17.3"},"spec":{"tags":[{"name":"cli","from":{"kind":"DockerImage","name":"quay.io/a` + sha + `"}}]}}`, []string{"ImageStream 4.17.3: cli|quay.io/a" + sha}, 0},
		"a status":        {"kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'quay.io/a:1'}]}\nstatus: {containerStatuses: [{name: c, image: 'quay.io/other:1'}], initContainerStatuses: [{name: i, image: '" + sha[1:] + "'}]}\n---\n{name: x, image: '" + sha[1:] + "'}\n", []string{"Pod p: c|quay.io/a:1"}, 0},
		"a disk":          {"kind: DataVolume\nmetadata: {name: d}\nspec: {source: {registry: {url: 'docker://quay.io/a/disk:1'}}, other: {url: 'https://quay.io/no'}}\n", []string{"DataVolume d|quay.io/a/disk:1"}, 0},
		"an image set":    {"kind: ImageSetConfiguration\nmirror:\n  additionalImages: [{name: 'quay.io/a:1'}, {name: ''}, x]\n  operators: [{catalog: 'quay.io/catalog:v4'}]\n", []string{"ImageSetConfiguration|quay.io/a:1"}, 0},
		"nothing":         {"", nil, 0},
	} {
		images, warnings, err := Read("file", strings.NewReader(c.file))
		var got []string
		for _, i := range images {
			got = append(got, i.Name+"|"+i.Ref.String())
		}
		if err != nil || !slices.Equal(got, c.want) || len(warnings) != c.warnings {
			t.Errorf("%s: %v\ngot  %q\nwant %q\nwarnings %q", name, err, got, c.want, warnings)
		}
	}
	for _, broken := range []string{`{"a":`, "a: [", "- a\n  b: c:\n\t- x", "%\x00", "q\x00u\x00a\x00y", "\x1f\x8b\b\x00"} {
		if _, _, err := Read("broken.yaml", strings.NewReader(broken)); err == nil || !strings.HasPrefix(err.Error(), "broken.yaml: ") {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("quay.io/a/b:v1\n"))
	f.Add([]byte("kind: Pod\nspec: {containers: [{name: a, image: b}]}\n---\n&a [*a]"))
	f.Add([]byte(`{"image":"quay.io/b:1"}{"items":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		images, warnings, err := Read("f", strings.NewReader(string(b)))
		if err != nil && len(images) > 0 || len(warnings) > maxWarnings+1 {
			t.Errorf("%d images, %d warnings, %v", len(images), len(warnings), err)
		}
		for _, i := range images {
			if i.Ref.IsZero() {
				t.Error("an image without a name")
			}
		}
	})
}
