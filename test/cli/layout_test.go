package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testlayout"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// layoutCmd writes what a registry has to disk: layout KIND PATH NAME [without|damaged WHAT...],
// or layout archives PATH NAME beside DIR, with one more archive for the files in DIR.
// KIND is oci, oc, storage, cache, dir, archives (of oc-mirror, two of them) or tar, an OCI
// archive. WHAT is a digest, or a component, of which the config is meant.
func layoutCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: layout KIND PATH NAME [without|damaged WHAT...]")
	}
	reg := ts.Value(siteKey{}).(*site).registries[args[2]]
	if reg == nil {
		ts.Fatalf("no registry %q", args[2])
	}
	var images []testlayout.Named
	for _, s := range reg.Stored() {
		name := s.Repository + ":" + s.Tag
		if s.Tag == "" { // tools give every image a tag
			name += strings.ReplaceAll(s.Digest, ":", "-")[:20]
		}
		images = append(images, testlayout.Named{Name: name, Image: s.Image})
	}
	slices.SortFunc(images, func(a, b testlayout.Named) int { return strings.Compare(a.Name, b.Name) })
	to := ts.MkAbs(args[1])
	dir := to
	if args[0] == "tar" {
		dir = to + ".d"
	}
	ts.Check(os.MkdirAll(dir, 0o755))
	switch args[0] {
	case "oci", "tar":
		ts.Check(testlayout.OCI(dir, images...))
	case "oc":
		ts.Check(testlayout.OC(dir, images...))
	case "storage":
		ts.Check(testlayout.Storage(dir, images...))
	case "cache":
		ts.Check(testlayout.Storage(filepath.Join(dir, ".oc-mirror", ".cache"), images...))
	case "dir":
		ts.Check(testlayout.Dir(dir, tagged(reg, images)...))
	case "archives":
		ts.Check(testlayout.Archive(dir, 2, nil, images...))
	default:
		ts.Fatalf("unknown kind %q", args[0])
	}
	switch {
	case len(args) == 5 && args[3] == "beside":
		ts.Check(testlayout.Tar(filepath.Join(dir, "mirror_000003.tar"), ts.MkAbs(args[4]), nil))
	case len(args) > 4:
		for _, what := range args[4:] {
			if !strings.HasPrefix(what, "sha256:") {
				what = testpayload.Release{Components: 12}.ComponentImage(what).Config().Digest
			}
			ts.Check(harm(dir, args[3], strings.TrimPrefix(what, "sha256:")))
		}
	}
	if args[0] == "tar" {
		ts.Check(testlayout.Tar(to, dir, nil))
	}
}

// tagged returns the images that have a tag in reg, those with a release first.
func tagged(reg *testregistry.Registry, images []testlayout.Named) []testlayout.Named {
	for _, s := range reg.Stored() {
		if s.Tag != "" {
			return []testlayout.Named{{Image: s.Image}}
		}
	}
	return images
}

// harm removes the file of a digest, wherever it is, or puts something else there.
func harm(dir, how, hex string) error {
	return filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(name, hex) {
			return err
		}
		if how == "without" {
			return os.Remove(name)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(name, make([]byte, info.Size()), 0o600)
	})
}
