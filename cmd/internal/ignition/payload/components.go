package payload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// components is the release of one payload, and what it turned out to lack.
type components struct {
	*provider.Release
	request provider.Request // as the release was looked up: one snapshot of the rules
	onNodes string           // the release's pullspec as nodes may have it
	version release
	missing map[string]bool
}

// lookupLimit bounds the lookup of a release, which has one candidate after another.
const lookupLimit = time.Minute

// lookup looks the release up, once for each payload.
func (w *work) lookup(ctx context.Context) (*components, error) {
	const step = "looking up the release"
	ref, err := imageref.Parse(w.in.Release)
	if err != nil {
		return nil, at(step, fmt.Errorf("pullspec %q: %w", w.in.Release, err))
	}
	credentials, err := provider.ParseCredentials(w.in.PullSecret)
	if err != nil {
		return nil, at(step, fmt.Errorf("secret pull-secret: %w", err))
	}
	rules := w.cfg.Rules()
	if rules == nil {
		return nil, at(step, provider.ErrNoRules)
	}
	req := provider.Request{Image: ref, Credentials: credentials, MirrorCredentials: w.in.MirrorCredentials, Rules: rules}
	// A registry that accepts and is silent would hold a slot for the time of the payload.
	limited, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	r, err := w.cfg.Releases.Lookup(limited, req)
	if err != nil {
		return nil, at(step, err)
	}
	v, err := parseVersion(r.Version())
	if err != nil {
		return nil, at(step, err)
	}
	return &components{
		Release: r, request: req, onNodes: rules.Rewrite(ref).String(), version: v, missing: make(map[string]bool),
	}, nil
}

// optional returns a component's image as nodes may have it, and whether there is one.
func (c *components) optional(name string) (string, bool) {
	have, ok := c.Component(name)
	return have.Image.String(), ok
}

// image does what optional does, for a component that should be there.
func (c *components) image(name string) string {
	image, ok := c.optional(name)
	if !ok {
		c.missing[name] = true
	}
	return image
}

func (c *components) missingNames() []string { return slices.Sorted(maps.Keys(c.missing)) }

// open opens a component's image, by its canonical reference.
func (w *work) open(ctx context.Context, r *components, name string) (provider.Image, error) {
	c, ok := r.Component(name)
	if !ok {
		r.missing[name] = true
		w.tellMissing(ctx, r)
		return nil, &Error{
			Reason: ReasonInvalidConfig, Missing: r.missingNames(),
			Err: fmt.Errorf("the release has no component %s", name),
		}
	}
	req := r.request
	req.Image = c.Canonical
	return w.cfg.Images.Image(ctx, req)
}

func (w *work) tellMissing(ctx context.Context, r *components) {
	if w.cfg.ReleaseInfo != nil {
		w.cfg.ReleaseInfo(ctx, r.version.text, r.missingNames())
	}
}

// extract puts files of img below dir.
func (w *work) extract(ctx context.Context, img provider.Image, dir string, names ...string) error {
	files, err := w.files(ctx, img, names)
	if err != nil {
		return err
	}
	defer files.Close()
	return w.copyFiles(ctx, files, dir, nil)
}

// files returns files of img, from the cache or from the image.
func (w *work) files(ctx context.Context, img provider.Image, names []string) (*filecache.Files, error) {
	return w.cfg.Files.Files(ctx, filecache.Key{Image: img.Digest(), Files: names},
		func(ctx context.Context, into *os.Root) error { return img.Extract(ctx, into, names...) })
}

// copyFiles copies the files that want accepts, nil is all, below dir.
func (w *work) copyFiles(ctx context.Context, files *filecache.Files, dir string, want func(name string) bool) error {
	if err := w.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	into, err := w.root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer into.Close()
	return files.CopyTo(ctx, into, want)
}

const (
	osRelease = "usr/lib/os-release"
	templates = "etc/mcc/templates"
	bin       = "usr/bin/"
	rhel9     = ".rhel9"
)

// programs are machine-config-operator's own.
var programs = []string{"machine-config-operator", "machine-config-controller", "machine-config-server"}

// readPrograms gets templates and programs: into mcc, and into bin under their plain
// names. It asks the image once for everything, so that each layer is read once.
func (w *work) readPrograms(ctx context.Context, r *components) error {
	const component, step = "machine-config-operator", "reading the machine-config-operator image"
	img, err := w.open(ctx, r, component)
	if err != nil {
		return at(step, err)
	}
	ours, err := w.ourMajorVersion()
	if err != nil {
		return at(step, err)
	}
	names := []string{osRelease, templates + "/**"}
	for _, p := range programs {
		names = append(names, bin+p)
		if ours == "9" {
			names = append(names, bin+p+rhel9)
		}
	}
	files, err := w.files(ctx, img, names)
	if err != nil {
		return at(step, err)
	}
	defer files.Close()
	small := func(name string) bool { return !strings.HasPrefix(name, bin) }
	if err := w.copyFiles(ctx, files, "image/mco", small); err != nil {
		return at(step, err)
	}
	if err := w.root.MkdirAll(path.Join("mcc", path.Dir(templates)), 0o755); err != nil {
		return at(step, err)
	}
	if err := w.root.Rename(path.Join("image/mco", templates), path.Join("mcc", templates)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s is not in it", templates)
		}
		return at(step, err)
	}
	suffix, err := w.suffix(ours)
	if err != nil {
		return at(step, err)
	}
	return at(step, w.copyPrograms(ctx, files, suffix))
}

// copyPrograms takes the programs with the suffix, and without it those that only exist
// without.
func (w *work) copyPrograms(ctx context.Context, files *filecache.Files, suffix string) error {
	have := make(map[string]bool)
	for name := range files.Names() {
		have[name] = true
	}
	chosen := make(map[string]string) // programs by the names of files
	var absent []string
	for _, p := range programs {
		switch {
		case have[bin+p+suffix]:
			chosen[bin+p+suffix] = p
		case have[bin+p]:
			chosen[bin+p] = p
		default:
			absent = append(absent, bin+p)
		}
	}
	if len(absent) > 0 {
		return fmt.Errorf("it has no %s", strings.Join(absent, ", "))
	}
	if err := w.copyFiles(ctx, files, "image/mco", func(name string) bool { return chosen[name] != "" }); err != nil {
		return err
	}
	for name, p := range chosen {
		if err := w.root.Rename(path.Join("image/mco", name), path.Join("bin", p)); err != nil {
			return err
		}
		if err := w.executable("bin/"+p, bin+p); err != nil {
			return err
		}
	}
	return nil
}

// suffix returns ".rhel9" for programs that are built for another system than they are
// packaged for: an image of RHEL 8 whose programs run here on RHEL 9.
func (w *work) suffix(ours string) (string, error) {
	b, err := w.root.ReadFile(path.Join("image/mco", osRelease))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not in it", osRelease)
	}
	if err != nil {
		return "", err
	}
	theirs, err := majorVersion(string(b))
	if err != nil {
		return "", err
	}
	if theirs == "8" && ours == "9" {
		return rhel9, nil
	}
	return "", nil
}
