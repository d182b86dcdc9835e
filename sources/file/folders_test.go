package file_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// dropIns returns the sources of p that come from drop-ins.
func dropIns(p policy.Policy) (out []string) {
	for _, r := range p.Rules {
		if r.DropIn {
			out = append(out, r.Source)
		}
	}
	return out
}

// A folder of confs is read as nodes read it, whatever lies beside them.
func TestFolders(t *testing.T) {
	for _, tc := range []struct {
		name    string
		files   map[string]string // by path below the folder
		read    string            // sources, in order
		dropIns string
		warning string
		below   string // of the folder, where that is the source
	}{
		{"a base and its drop-ins", map[string]string{"registries.conf": table("a.io"), "registries.conf.d/1.conf": table("b.io")}, "a.io b.io", "b.io", "", ""},
		{"other confs beside a base", map[string]string{"registries.conf": table("a.io"), "policy.conf": table("b.io")}, "a.io", "", "policy.conf is not read, as nodes read registries.conf", ""},
		{"drop-ins alone", map[string]string{"2.conf": table("a.io"), "1.conf": table("b.io")}, "a.io b.io", "a.io b.io", "", ""},
		{"drop-ins beside objects", map[string]string{"1.conf": table("a.io"), "x.yaml": idms("x", "b.io", "m.io")}, "a.io b.io", "a.io", "", ""},
		{"a folder of drop-ins beside objects", map[string]string{"registries.conf.d/1.conf": table("a.io"), "x.yaml": idms("x", "b.io", "m.io")}, "a.io b.io", "a.io", "", ""},
		{"a folder of drop-ins with a file of the base's name", map[string]string{"registries.conf.d/registries.conf": table("a.io"), "registries.conf.d/1.conf": table("b.io")}, "a.io b.io", "a.io b.io", "", "/registries.conf.d"},
		{"a later drop-in replaces the table of an earlier one", map[string]string{"registries.conf.d/1.conf": table("a.io", "blocked = true"), "registries.conf.d/2.conf": table("a.io")}, "a.io", "a.io", "", ""},
		{"the confs of other programs", map[string]string{"crio.conf": "[crio]\n", "haproxy.conf": "global\n  daemon\n", "storage.conf": "[storage]\ndriver = 'overlay'\n", "x.yaml": idms("x", "b.io", "m.io")}, "b.io", "", "haproxy.conf is another program's configuration", ""},
		{"a hidden drop-in, and one in upper case", map[string]string{"registries.conf.d/.1.conf": table("a.io"), "registries.conf.d/2.CONF": table("b.io")}, "a.io", "a.io", "", "/registries.conf.d"},
		{"a link to nothing", map[string]string{"x.yaml": idms("x", "b.io", "m.io"), "y.yaml -> gone/y.yaml": "", "z.txt -> gone": ""}, "b.io", "", "y.yaml is a symbolic link to a file that is not there", ""},
		{"a link to a file", map[string]string{"x.yaml": idms("x", "b.io", "m.io"), "y.yaml -> x.yaml": ""}, "b.io b.io", "", "", ""},
		{"the root of a workspace", map[string]string{"working-dir/cluster-resources/idms-oc-mirror.yaml": idms("x", "a.io", "m.io"), "imageset-config.yaml": "kind: ImageSetConfiguration\napiVersion: mirror.openshift.io/v2alpha1\n"}, "a.io", "", "", ""},
		{"the working-dir of a workspace", map[string]string{"cluster-resources/idms-oc-mirror.yaml": idms("x", "a.io", "m.io"), "info/x.yaml": "not read"}, "a.io", "", "", ""},
	} {
		dir := t.TempDir()
		for name, text := range tc.files {
			if link, target, ok := strings.Cut(name, " -> "); ok {
				if err := os.Symlink(target, dir+"/"+link); err != nil {
					t.Fatal(err)
				}
				continue
			}
			write(t, dir+"/"+name, text)
		}
		p := load(t, dir+tc.below)
		var read []string
		for _, r := range p.Rules {
			read = append(read, r.Source)
		}
		if got := strings.Join(read, " "); got != tc.read {
			t.Errorf("%s: read %q, want %q", tc.name, got, tc.read)
		}
		if got := strings.Join(dropIns(p), " "); got != tc.dropIns {
			t.Errorf("%s: drop-ins %q, want %q", tc.name, got, tc.dropIns)
		}
		if got := fmt.Sprint(p.Warnings); !strings.Contains(got, tc.warning) || tc.warning == "" && len(p.Warnings) > 0 {
			t.Errorf("%s: warnings %s, want %q", tc.name, got, tc.warning)
		}
	}
}

// The root of a workspace, and a folder with objects and drop-ins, pass the suite.
func TestFolderConformance(t *testing.T) {
	for name, path := range map[string]string{"workspace": "/working-dir/cluster-resources/idms.yaml", "drop-ins": "/registries.conf.d/1.conf"} {
		t.Run(name, func(t *testing.T) {
			text := func(mirror string) string {
				if name == "drop-ins" {
					return table("a.io", "[[registry.mirror]]", "location = \""+mirror+"\"")
				}
				return idms("x", "a.io", mirror)
			}
			sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
				dir := t.TempDir()
				write(t, dir+"/other.yaml", "kind: ImageSetConfiguration\n")
				write(t, dir+path, text("m.io"))
				return sourcetest.Fixture{
					Source: openWith(t, dir, quick),
					Change: func(t *testing.T) { write(t, dir+path, text("n.io")) },
					Break:  func(t *testing.T) { write(t, dir+path, "registry: [") },
				}
			})
		})
	}
}
