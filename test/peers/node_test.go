package peers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	configv1 "github.com/openshift/api/config/v1"
	"github.com/openshift/runtime-utils/pkg/registries"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/types"
)

// node is a node's registries.conf, as its own code writes and reads it.
type node struct {
	sys    *types.SystemContext
	tables []sr536.Registry // as runtime-utils left them; nil where it was not asked
}

// answer is what one image may be pulled from.
type answer struct {
	failed     bool // a mirror that makes no reference
	source     string
	candidates []string
	refused    []string
}

// newNode writes s into dir and loads it. An error is one that nodes have.
func newNode(t *testing.T, dir string, s *policySet) (*node, error) {
	t.Helper()
	base := system(filepath.Join(dir, "registries.conf"), filepath.Join(dir, "none"))
	write(t, base.SystemRegistriesConfPath, s.base)
	for i, tables := range s.dropIns {
		write(t, filepath.Join(dir, "registries.conf.d", fmt.Sprintf("%02d.conf", i)), tables)
	}
	loaded, err := sysregistriesv2.GetRegistries(base)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	if !s.edited() {
		return withDropIns(base.SystemRegistriesConfPath, filepath.Join(dir, "registries.conf.d"), nil)
	}
	conf := sr536.V2RegistriesConf{Registries: older(loaded)}
	idms, itms := s.idms, s.itms
	for _, e := range s.any { // docs/semantics.md: stated once as digest and once as tag rule
		d := &configv1.ImageDigestMirrorSet{}
		d.Spec.ImageDigestMirrors = []configv1.ImageDigestMirrors{{Source: e.source, Mirrors: imageMirrors(e.mirrors)}}
		idms = append(idms, d)
		i := &configv1.ImageTagMirrorSet{}
		i.Spec.ImageTagMirrors = []configv1.ImageTagMirrors{{Source: e.source, Mirrors: imageMirrors(e.mirrors)}}
		itms = append(itms, i)
	}
	if s.tagsFollow {
		itms = append(itms, digestRulesAsTagRules(s)...)
		conf.Registries = tagsFollow(conf.Registries)
	}
	if err := registries.EditRegistriesConfig(&conf, s.insecure, s.blocked, s.icsp, idms, itms); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	edited := system(filepath.Join(dir, "edited", "registries.conf"), filepath.Join(dir, "none"))
	write(t, edited.SystemRegistriesConfPath, conf.Registries)
	if _, err := sysregistriesv2.GetRegistries(edited); err != nil {
		return nil, fmt.Errorf("edited: %w", err)
	}
	dropIns := filepath.Join(dir, "registries.conf.d")
	if s.tagsFollow { // nobody edits drop-ins; this project reads them so
		dropIns = filepath.Join(dir, "edited", "registries.conf.d")
		for i, tables := range s.dropIns {
			write(t, filepath.Join(dropIns, fmt.Sprintf("%02d.conf", i)), tagsFollow(tables))
		}
	}
	return withDropIns(edited.SystemRegistriesConfPath, dropIns, conf.Registries)
}

// withDropIns reads conf and what is in dir, as nodes do at the end.
func withDropIns(conf, dir string, tables []sr536.Registry) (*node, error) {
	n := &node{system(conf, dir), tables}
	if _, err := sysregistriesv2.GetRegistries(n.sys); err != nil {
		return nil, fmt.Errorf("drop-ins: %w", err)
	}
	return n, nil
}

// tagsFollow lets mirrors for digests serve tags too.
func tagsFollow(tables []sr536.Registry) []sr536.Registry {
	out := slices.Clone(tables)
	for i := range out {
		out[i].Mirrors = slices.Clone(out[i].Mirrors)
		for j := range out[i].Mirrors {
			if m := &out[i].Mirrors[j]; m.PullFromMirror == sr536.MirrorByDigestOnly {
				m.PullFromMirror = sr536.MirrorAll
			}
		}
	}
	return out
}

func digestRulesAsTagRules(s *policySet) (out []*configv1.ImageTagMirrorSet) {
	add := func(source string, mirrors []configv1.ImageMirror, p configv1.MirrorSourcePolicy) {
		o := &configv1.ImageTagMirrorSet{}
		o.Spec.ImageTagMirrors = []configv1.ImageTagMirrors{{Source: source, Mirrors: mirrors, MirrorSourcePolicy: p}}
		out = append(out, o)
	}
	for _, o := range s.idms {
		for _, e := range o.Spec.ImageDigestMirrors {
			add(e.Source, e.Mirrors, e.MirrorSourcePolicy)
		}
	}
	for _, o := range s.icsp {
		for _, e := range o.Spec.RepositoryDigestMirrors {
			add(e.Source, imageMirrors(e.Mirrors), "")
		}
	}
	return out
}

func imageMirrors(list []string) (out []configv1.ImageMirror) {
	for _, m := range list {
		out = append(out, configv1.ImageMirror(m))
	}
	return out
}

// system returns a hermetic system context: both paths are set, and each is new, since sysregistriesv2
// remembers what it read for the process's lifetime.
func system(conf, dir string) *types.SystemContext {
	return &types.SystemContext{SystemRegistriesConfPath: conf, SystemRegistriesConfDirPath: dir}
}

func write(t testing.TB, path string, tables []sr536.Registry) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(sr536.V2RegistriesConf{Registries: tables}); err != nil {
		t.Fatal(err)
	}
	// Fields that are unset in the type are written as empty; admins leave them out.
	text := strings.ReplaceAll(b.String(), "unqualified-search-registries = []\n", "")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func older(in []sysregistriesv2.Registry) []sr536.Registry {
	out := make([]sr536.Registry, len(in))
	for i, r := range in {
		out[i] = sr536.Registry{
			Prefix: r.Prefix, Endpoint: olderEndpoint(r.Endpoint), Blocked: r.Blocked, MirrorByDigestOnly: r.MirrorByDigestOnly,
		}
		for _, m := range r.Mirrors {
			out[i].Mirrors = append(out[i].Mirrors, olderEndpoint(m))
		}
	}
	return out
}

func olderEndpoint(e sysregistriesv2.Endpoint) sr536.Endpoint {
	return sr536.Endpoint{Location: e.Location, Insecure: e.Insecure, PullFromMirror: e.PullFromMirror}
}

// normalize returns what CRI-O makes of an image before it looks it up.
func normalize(image string) (reference.Named, error) {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	ref = reference.TagNameOnly(ref)
	if _, ok := ref.(reference.Tagged); ok {
		if d, ok := ref.(reference.Digested); ok {
			return reference.WithDigest(reference.TrimNamed(ref), d.Digest())
		}
	}
	return ref, nil
}

// ask does what containers/image does before it contacts anything
// (docker_image_src.go newImageSource, docker_client.go newDockerClient).
func (n *node) ask(ref reference.Named) (answer, error) {
	reg, err := sysregistriesv2.FindRegistry(n.sys, ref.Name())
	if err != nil {
		return answer{}, err
	}
	var a answer
	sources := []sysregistriesv2.PullSource{{Reference: ref}}
	if reg != nil {
		a.source = reg.Prefix
		if sources, err = reg.PullSourcesFromReference(ref); err != nil {
			return answer{failed: true, source: a.source}, nil
		}
	}
	asked := make(map[string]bool)
	for i, s := range sources {
		// docs/semantics.md: a mirror that is named again on the same terms is asked once.
		terms := show(s.Reference.String(), true, s.Endpoint.Insecure)
		if i < len(sources)-1 && asked[terms] {
			continue
		}
		asked[terms] = true
		at, err := sysregistriesv2.FindRegistry(n.sys, s.Reference.Name())
		if err != nil {
			return answer{}, err
		}
		mirror := i < len(sources)-1 && s.Reference.String() != ref.String()
		if at != nil && at.Blocked {
			a.refused = append(a.refused, show(s.Reference.String(), mirror, false))
		} else {
			a.candidates = append(a.candidates, show(s.Reference.String(), mirror, s.Endpoint.Insecure))
		}
	}
	return a, nil
}

func show(ref string, mirror, insecure bool) string {
	if mirror {
		ref += " mirror"
	}
	if insecure {
		ref += " insecure"
	}
	return ref
}
