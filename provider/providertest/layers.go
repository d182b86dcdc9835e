package providertest

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// testLayers checks that files are what a container would see.
func testLayers(t *testing.T, h ImageHarness) {
	type entries = []testpayload.Entry
	file, dir, link, hard := testpayload.File, testpayload.Dir, testpayload.Symlink, testpayload.HardLink
	whiteout, opaque := testpayload.Whiteout, testpayload.OpaqueWhiteout
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for name, c := range map[string]struct {
		layers []entries
		want   map[string]string // of a/** and b
	}{
		"upper wins":               {[]entries{{file("a/x", "old"), file("a/y", "y")}, {file("a/x", "new")}}, map[string]string{"a/x": "new", "a/y": "y"}},
		"later entry wins":         {[]entries{{file("a/x", "old"), file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"dot slash":                {[]entries{{dir("./"), dir("./a/"), file("./a/x", "x")}}, map[string]string{"a/x": "x"}},
		"leading slash":            {[]entries{{file("/a/x", "x")}}, map[string]string{"a/x": "x"}},
		"dot slash over plain":     {[]entries{{file("a/x", "old")}, {file("./a/x", "new")}}, map[string]string{"a/x": "new"}},
		"whiteout":                 {[]entries{{file("a/x", "x"), file("a/y", "y")}, {whiteout("a/x")}}, map[string]string{"a/y": "y"}},
		"whiteout of a directory":  {[]entries{{file("a/d/x", "x"), file("a/y", "y")}, {whiteout("a/d")}}, map[string]string{"a/y": "y"}},
		"whiteout with dot slash":  {[]entries{{file("a/x", "x"), file("a/y", "y")}, {whiteout("./a/x")}}, map[string]string{"a/y": "y"}},
		"whiteout, then again":     {[]entries{{file("a/x", "old")}, {whiteout("a/x")}, {file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"whiteout in its layer":    {[]entries{{file("a/x", "old")}, {whiteout("a/x"), file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"opaque":                   {[]entries{{file("a/x", "x"), file("a/d/y", "y")}, {opaque("a"), file("a/z", "z")}}, map[string]string{"a/z": "z"}},
		"opaque after its files":   {[]entries{{file("a/x", "x")}, {file("a/z", "z"), opaque("a")}}, map[string]string{"a/z": "z"}},
		"opaque elsewhere":         {[]entries{{file("a/x", "x"), file("a/d/y", "y")}, {opaque("a/d")}}, map[string]string{"a/x": "x"}},
		"directory replaces file":  {[]entries{{file("a/x", "old")}, {dir("a/x"), file("a/x/y", "new")}}, map[string]string{"a/x/y": "new"}},
		"file replaces directory":  {[]entries{{file("a/x/y", "old"), file("a/z", "z")}, {file("a/x", "new")}}, map[string]string{"a/x": "new", "a/z": "z"}},
		"directory keeps files":    {[]entries{{file("a/x", "x")}, {dir("a")}}, map[string]string{"a/x": "x"}},
		"hard link":                {[]entries{{file("other", "text"), hard("a/x", "other")}}, map[string]string{"a/x": "text"}},
		"hard link with dot slash": {[]entries{{file("./other", "text"), hard("./a/x", "./other")}}, map[string]string{"a/x": "text"}},
		"hard link to lower layer": {[]entries{{file("other", "text")}, {hard("a/x", "other")}}, map[string]string{"a/x": "text"}},
		"symlink":                  {[]entries{{file("other", "text"), link("a/x", "../other")}}, map[string]string{"a/x": "text"}},
		"absolute symlink":         {[]entries{{file("other", "text"), link("a/x", "/other")}}, map[string]string{"a/x": "text"}},
		"symlink across layers":    {[]entries{{link("a/x", "../other")}, {file("other", "text")}}, map[string]string{"a/x": "text"}},
		"symlink to upper file":    {[]entries{{file("other", "old"), link("a/x", "../other")}, {file("other", "new")}}, map[string]string{"a/x": "new"}},
		"symlink to symlink":       {[]entries{{file("c", "text"), link("other", "c"), link("a/x", "/other")}}, map[string]string{"a/x": "text"}},
		"symlinked directory":      {[]entries{{file("real/x", "text"), link("b", "real/x")}}, map[string]string{"b": "text"}},
		"through symlinked parent": {[]entries{{file("real/x", "text"), link("way", "real"), link("b", "way/x")}}, map[string]string{"b": "text"}},
		"file replaces symlink":    {[]entries{{file("other", "old"), link("a/x", "../other")}, {file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"empty file":               {[]entries{{file("a/x", "")}}, map[string]string{"a/x": ""}},
		"nothing":                  {[]entries{{file("c", "c")}}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			var all [][]testpayload.Entry
			all = append(all, c.layers...)
			want := layers(all...)
			reg.Push(repository, "", want)
			img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, img, c.want, "a/**", "b")
		})
	}
}

func testPatterns(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	want := layers([]testpayload.Entry{
		testpayload.File("etc/os-release", "1"), testpayload.File("etc/mcc/templates/a", "2"),
		testpayload.File("etc/mcc/templates/deep/b", "3"), testpayload.File("usr/bin/tool", "4"), testpayload.File("usr/bin/tool.rhel9", "5"),
		testpayload.File("usr/binary", "6"), testpayload.File("[x]", "7"),
	})
	reg.Push(repository, "", want)
	img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		patterns []string
		want     map[string]string
	}{
		{[]string{"etc/os-release"}, map[string]string{"etc/os-release": "1"}},
		{[]string{"etc/*"}, map[string]string{"etc/os-release": "1"}},
		{[]string{"etc/mcc/**"}, map[string]string{"etc/mcc/templates/a": "2", "etc/mcc/templates/deep/b": "3"}},
		{[]string{"usr/bin/tool*"}, map[string]string{"usr/bin/tool": "4", "usr/bin/tool.rhel9": "5"}},
		{[]string{"usr/bin/**"}, map[string]string{"usr/bin/tool": "4", "usr/bin/tool.rhel9": "5"}},
		{[]string{"usr/bin/tool", "etc/os-release"}, map[string]string{"usr/bin/tool": "4", "etc/os-release": "1"}},
		{[]string{"usr/???/tool"}, map[string]string{"usr/bin/tool": "4"}},
		{[]string{`\[x\]`}, map[string]string{"[x]": "7"}},
		{[]string{"tool"}, map[string]string{}},
		{[]string{"usr/bin"}, map[string]string{}},
	} {
		wantFiles(t, img, c.want, c.patterns...)
	}
	// What is no pattern is the caller's mistake, and reaches nobody.
	asked := reg.Count()
	for _, bad := range []string{"[x", "", "/etc/os-release", "etc/", "etc/../etc/os-release"} {
		files, err := img.Files(limited(t), "etc/os-release", bad)
		if !errors.Is(err, path.ErrBadPattern) {
			t.Errorf("Files(%q): %v, %v; want path.ErrBadPattern", bad, files, err)
		}
		wantClass(t, err, provider.ClassInvalid)
	}
	if n := reg.Count() - asked; n != 0 {
		t.Errorf("%d requests for patterns that are none", n)
	}
}

// testEscapes checks that nothing leaves the image, and that what is not there
// is not made up.
func testEscapes(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for name, entries := range map[string][]testpayload.Entry{
		"name with dots":             {testpayload.File("../a/x", "evil"), testpayload.File("a/../../b", "evil")},
		"symlink out":                {testpayload.Symlink("a/x", "../../../../../../etc/passwd"), testpayload.Symlink("b", "/etc/passwd")},
		"hard link out":              {testpayload.HardLink("a/x", "../../etc/passwd")},
		"symlink to nothing":         {testpayload.Symlink("a/x", "nothing")},
		"hard link to nothing":       {testpayload.HardLink("a/x", "nothing")},
		"symlink loop":               {testpayload.Symlink("a/x", "y"), testpayload.Symlink("a/y", "x")},
		"symlink to itself":          {testpayload.Symlink("b", "b")},
		"file below a symlink out":   {testpayload.Symlink("a", "/etc"), testpayload.File("a/x", "evil")},
		"device":                     {{Name: "b", Type: '3'}},
		"named pipe":                 {{Name: "b", Type: '6'}},
		"whiteout of what is not":    {testpayload.Whiteout("a/x")},
		"whiteout of the root":       {{Name: ".wh."}, {Name: ".wh.."}, {Name: "a/.wh..."}},
		"a whiteout's name with dot": {testpayload.Whiteout("../a/x")},
	} {
		t.Run(name, func(t *testing.T) {
			want := layers(entries)
			reg.Push(repository, "", want)
			img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
			if err != nil {
				t.Fatal(err)
			}
			files, err := img.Files(limited(t), "a/**", "b", "etc/**")
			if err != nil { // to refuse the layer is as good
				wantClass(t, err, provider.ClassMalformed, provider.ClassLimit)
				return
			}
			err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				if !fs.ValidPath(name) {
					t.Errorf("a file named %q", name)
				}
				if b, err := fs.ReadFile(files, name); err == nil && strings.Contains(string(b), "root:") {
					t.Errorf("%s is a file of this machine", name)
				}
				return nil
			})
			if err != nil {
				t.Errorf("walking: %v", err)
			}
		})
	}
}
