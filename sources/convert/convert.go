package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/policy/lint"
	"github.com/mirrorchain/mirrorchain/policy/registriesconf"
)

// Format is a form in which policies are written.
type Format string

// Formats.
const (
	// IDMS is ImageDigestMirrorSets, with ImageTagMirrorSets for what mirrors tags and an
	// image configuration for insecure and blocked registries.
	IDMS Format = "idms"
	// ITMS is ImageTagMirrorSets alone: mirrors for digests are lost.
	ITMS Format = "itms"
	// ICSP is ImageContentSourcePolicies, with an image configuration where it is needed.
	ICSP Format = "icsp"
	// RegistriesConf is containers-registries.conf(5), version 2.
	RegistriesConf Format = "registries.conf"
	// InstallConfig is the imageDigestSources of an install-config.
	InstallConfig Format = "install-config"
	// HostedCluster is the spec.imageContentSources of a HostedCluster of HyperShift, as a
	// patch of one.
	HostedCluster Format = "hostedcluster"
	// Env is the variable OPENSHIFT_IMG_OVERRIDES.
	Env Format = "env"
	// HostsTOML is the folder certs.d of containerd, a hosts.toml for each registry.
	HostsTOML Format = "hosts.toml"
	// K3s is the registries.yaml of k3s and RKE2.
	K3s Format = "k3s"
)

// Formats returns all formats. The slice is the caller's.
func Formats() []Format {
	return []Format{IDMS, ITMS, ICSP, RegistriesConf, InstallConfig, HostedCluster, Env, HostsTOML, K3s}
}

// Config says what to write.
type Config struct {
	To Format // what to write
	// Name is of objects that come from none, such as those made of a registries.conf.
	// Default "mirrors". For HostedCluster it is NAMESPACE/NAME, default "clusters/example".
	Name string
	// AllowLoss writes what can be written, and leaves out what cannot be.
	AllowLoss bool
}

// Result is what was written.
type Result struct {
	// Files are in the order in which they belong into one stream.
	Files []File
	// Losses are what Files do not say, or say otherwise.
	Losses []Loss
}

// File is one file.
type File struct {
	Name string // a path with slashes: "imagedigestmirrorset-release.yaml", "quay.io/hosts.toml"
	Data []byte // the content
}

// Loss is something that a form cannot say.
type Loss struct {
	Origin string `json:"origin"` // the entry, "" where it is about none
	What   string `json:"what"`   // what is lost
}

func (l Loss) String() string {
	if l.Origin == "" {
		return l.What
	}
	return l.Origin + ": " + l.What
}

// LossError says what a conversion would lose.
type LossError struct {
	To     Format // what was to be written
	Losses []Loss // all of them
}

func (e *LossError) Error() string {
	lines := []string{fmt.Sprintf("%s cannot say all of this", e.To)}
	for _, l := range e.Losses {
		lines = append(lines, l.String())
	}
	return strings.Join(lines, "\n  ")
}

// Convert writes policies in another form. Errors are a [*LossError], those of
// [policy.NewRules], and one for a result that the API server would refuse.
func Convert(cfg Config, policies ...policy.Policy) (Result, error) {
	in, err := diff.NewSide(policy.RulesConfig{}, policies...)
	if err != nil {
		return Result{}, err
	}
	w := &writer{cfg: cfg, rules: in.Rules(), policies: policies}
	if err := w.write(); err != nil {
		return Result{}, err
	}
	if err := w.verify(in); err != nil {
		return Result{}, err
	}
	if len(w.losses) > 0 && !cfg.AllowLoss {
		return Result{}, &LossError{cfg.To, w.losses}
	}
	return Result{w.files, w.losses}, nil
}

// writer makes the files of one conversion.
type writer struct {
	cfg      Config
	rules    *policy.Rules
	policies []policy.Policy
	files    []File
	losses   []Loss
}

func (w *writer) lose(origin, format string, args ...any) {
	l := Loss{origin, fmt.Sprintf(format, args...)}
	if !slices.Contains(w.losses, l) {
		w.losses = append(w.losses, l)
	}
}

func (w *writer) add(name string, data []byte) { w.files = append(w.files, File{name, data}) }

func (w *writer) write() error {
	w.loseWhatNoFormHas()
	switch w.cfg.To {
	case IDMS, ITMS, ICSP:
		return w.objects()
	case RegistriesConf:
		data, err := registriesconf.Encode(w.rules)
		w.add("registries.conf", data)
		return err
	case InstallConfig:
		return w.installConfig()
	case HostedCluster:
		return w.hostedCluster()
	case Env:
		return w.env()
	case HostsTOML:
		return w.hostsTOML()
	case K3s:
		return w.k3s()
	}
	return fmt.Errorf("there is no format %q", w.cfg.To)
}

// loseWhatNoFormHas lists what is read of policies and is no rule.
func (w *writer) loseWhatNoFormHas() {
	image := w.cfg.To == IDMS || w.cfg.To == ITMS || w.cfg.To == ICSP
	for _, p := range w.policies {
		for _, s := range p.Search {
			if s.Object == nil || !image {
				w.lose(s.Origin, "the search registry %s", s.Name)
			}
		}
		for _, s := range p.Allowed {
			if !image {
				w.lose(s.Origin, "the allowed registry %s", s.Name)
			}
		}
		for _, r := range p.Rules {
			if r.Kind == policy.KindRewrite && w.cfg.To != RegistriesConf {
				w.lose(r.Origin, "that references to %s are replaced", r.Source)
			}
		}
	}
}

// verify reads the files and lists for which images they say something else. What the API
// server would refuse is an error: nothing is gained by writing it.
func (w *writer) verify(in diff.Side) error {
	out, ok, err := w.readBack()
	if err != nil {
		return fmt.Errorf("what was written for %s cannot be read: %w", w.cfg.To, err)
	}
	if !ok {
		return nil
	}
	for _, f := range lint.Check(lint.Config{}, out...) {
		if f.RefusedByAPI {
			return fmt.Errorf("the API server would refuse what comes of this: %s; mend the policies first, see policy lint", f.Message)
		}
	}
	side, err := diff.NewSide(policy.RulesConfig{}, out...)
	if err != nil {
		return fmt.Errorf("what was written for %s is no policy: %w", w.cfg.To, err)
	}
	for _, warning := range side.Rules().Warnings() {
		// A conflict between entries is as old as they are; a name must be one where it is new.
		if w.cfg.To == ICSP && warning.Code == policy.WarnStrictConflict && !strings.Contains(warning.Message, "conflicting mirrorSourcePolicy") {
			return fmt.Errorf("%s; mend the policies first, see policy lint", warning.Message)
		}
	}
	for _, s := range diff.Compare(in, side).Sources {
		if strings.HasSuffix(s.Source, " (rewrite)") {
			continue // said already, or a location now
		}
		w.loseEndpoints(s.Source, "digest", s.Digests)
		w.loseEndpoints(s.Source, "tag", s.Tags)
	}
	return nil
}

func (w *writer) loseEndpoints(source, how string, e diff.Endpoints) {
	same := func(a, b diff.Endpoint) bool { return a.Location == b.Location && a.Insecure == b.Insecure }
	if slices.EqualFunc(e.Before, e.After, same) {
		return
	}
	w.lose("", "images of %s by %s are pulled from %s, no longer from %s", source, how, diff.List(e.After, "nowhere"), diff.List(e.Before, "nowhere"))
}

var errName = errors.New("a name of a HostedCluster is NAMESPACE/NAME")
