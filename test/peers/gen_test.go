package peers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
)

// policySet is one random question: everything a node's configuration is made of.
type policySet struct {
	base    []sr536.Registry   // registries.conf; none where nil
	dropIns [][]sr536.Registry // in the order they apply
	icsp    []*operatorv1alpha1.ImageContentSourcePolicy
	idms    []*configv1.ImageDigestMirrorSet
	itms    []*configv1.ImageTagMirrorSet
	any     []entry // PullAny entries, as the env var has them

	insecure, blocked []string
	tagsFollow        bool
	images            []string
}

type entry struct {
	source  string
	mirrors []string
}

// entries counts what API objects say. An object without an entry says nothing
// that a reader of policies could see.
func (s *policySet) entries() int {
	n := len(s.any)
	for _, o := range s.icsp {
		n += len(o.Spec.RepositoryDigestMirrors)
	}
	for _, o := range s.idms {
		n += len(o.Spec.ImageDigestMirrors)
	}
	for _, o := range s.itms {
		n += len(o.Spec.ImageTagMirrors)
	}
	return n
}

// stated returns the sources and scopes that API objects and s.any name.
func (s *policySet) stated() (out []string) {
	for _, o := range s.idms {
		for _, e := range o.Spec.ImageDigestMirrors {
			out = append(out, e.Source)
		}
	}
	for _, o := range s.itms {
		for _, e := range o.Spec.ImageTagMirrors {
			out = append(out, e.Source)
		}
	}
	for _, o := range s.icsp {
		for _, e := range o.Spec.RepositoryDigestMirrors {
			out = append(out, e.Source)
		}
	}
	for _, e := range s.any {
		out = append(out, e.source)
	}
	return slices.Concat(out, s.insecure, s.blocked)
}

// edited tells whether the machine-config operator would touch registries.conf.
func (s *policySet) edited() bool {
	return s.entries()+len(s.insecure)+len(s.blocked) > 0
}

// Small alphabets, so that sets collide with themselves. Hosts of one letter make
// wildcards as long as a host.
var (
	hosts     = []string{"quay.io", "quay.io:443", "a.redhat.io", "x.a.redhat.io", "a.redhat.io:5000", "redhat.io", "m.com", "m.com:8443", "docker.io", "localhost", "localhost:5000"}
	wildcards = []string{"*.redhat.io", "*.a.redhat.io", "*.io", "*.com", "*.redhat.io.redhat.io"}
	mirrors   = []string{"m.com", "m.com:8443", "n.com", "o.com", "quay.io", "a.redhat.io", "localhost:5000"}
	parts     = []string{"a", "b", "c"}
	odd       = []string{
		"nodot", "nodot/ns", "m.com/", "quay.io/a/", "M.com/a", "m.com/A", "m.com/a:t", "docker.io/foo", "index.docker.io/a", "*.redhat.io/", "foo.*.com",
		"m.com/a@sha256:" + strings.Repeat("0", 64), "[::1]:5000/a", "UP/a", "m.com/" + strings.Repeat("x", 248), "m.com//a", "m.com/a-", "*", "*.",
	}
	fatal = []string{"", "/", "http://m.com", "https://quay.io/a", "*.redhat.io/a", "*.redhat.io:443"}
)

type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 2))} }

func (g generator) pick(from []string) string { return from[g.IntN(len(from))] }
func (g generator) chance(percent int) bool   { return g.IntN(100) < percent }

func (g generator) path(max int) string {
	var b strings.Builder
	for range g.IntN(max + 1) {
		b.WriteString("/" + g.pick(parts))
	}
	return b.String()
}

func (g generator) source(oddities int) string {
	switch {
	case g.chance(oddities):
		return g.oddity()
	case g.chance(12):
		return g.pick(wildcards)
	case g.chance(60): // most sets are about one or two hosts
		return hosts[g.IntN(3)] + g.path(3)
	}
	return g.pick(hosts) + g.path(3)
}

func (g generator) mirror(source string, oddities int) string {
	switch {
	case g.chance(oddities):
		return g.oddity()
	case g.chance(6):
		return source
	case g.chance(8):
		return source + g.path(2) // inside the source
	case g.chance(30):
		return "m.com" + g.path(1) // in conflict with other entries
	}
	return g.pick(mirrors) + g.path(2)
}

func (g generator) oddity() string {
	if g.chance(30) {
		return g.pick(fatal)
	}
	return g.pick(odd)
}

func (g generator) list(source string, oddities int) []string {
	out := []string{}
	for range g.IntN(5) {
		out = append(out, g.mirror(source, oddities))
	}
	if len(out) > 1 && g.chance(10) {
		out = append(out, out[0]) // a mirror twice
	}
	return out
}

// entrySource leaves out the empty source, which the reader of files refuses even
// where nodes would drop the entry.
func (g generator) entrySource(oddities int) string {
	if s := g.source(oddities); s != "" {
		return s
	}
	return "/"
}

// set makes a random set. Two in three have nothing odd in them, so that enough
// of them load.
func (g generator) set() *policySet {
	s := &policySet{tagsFollow: g.chance(15)}
	oddities := 0
	if g.chance(33) {
		oddities = 3
	}
	never := func() configv1.MirrorSourcePolicy {
		switch {
		case g.chance(25):
			return configv1.NeverContactSource
		case g.chance(30):
			return configv1.AllowContactingSource
		}
		return ""
	}
	asMirrors := func(list []string) (out []configv1.ImageMirror) {
		for _, m := range list {
			out = append(out, configv1.ImageMirror(m))
		}
		return out
	}
	name := func(kind string, i int) metav1.ObjectMeta { return metav1.ObjectMeta{Name: fmt.Sprint(kind, "-", i)} }
	if g.chance(85) {
		for i := range g.IntN(4) {
			o := &configv1.ImageDigestMirrorSet{ObjectMeta: name("idms", i)}
			for range g.IntN(4) {
				src := g.entrySource(oddities)
				o.Spec.ImageDigestMirrors = append(o.Spec.ImageDigestMirrors, configv1.ImageDigestMirrors{
					Source: src, Mirrors: asMirrors(g.list(src, oddities)), MirrorSourcePolicy: never(),
				})
			}
			s.idms = append(s.idms, o)
		}
		for i := range g.IntN(3) {
			o := &configv1.ImageTagMirrorSet{ObjectMeta: name("itms", i)}
			for range g.IntN(4) {
				src := g.entrySource(oddities)
				o.Spec.ImageTagMirrors = append(o.Spec.ImageTagMirrors, configv1.ImageTagMirrors{
					Source: src, Mirrors: asMirrors(g.list(src, oddities)), MirrorSourcePolicy: never(),
				})
			}
			s.itms = append(s.itms, o)
		}
		for i := range g.IntN(3) {
			o := &operatorv1alpha1.ImageContentSourcePolicy{ObjectMeta: name("icsp", i)}
			for range g.IntN(4) {
				src := g.entrySource(oddities)
				o.Spec.RepositoryDigestMirrors = append(o.Spec.RepositoryDigestMirrors, operatorv1alpha1.RepositoryDigestMirrors{
					Source: src, Mirrors: g.list(src, oddities),
				})
			}
			s.icsp = append(s.icsp, o)
		}
		if g.chance(15) {
			src := g.entrySource(oddities)
			s.any = append(s.any, entry{src, g.list(src, oddities)})
		}
	}
	if g.chance(40) {
		s.insecure = g.scopes(oddities)
	}
	if g.chance(30) {
		s.blocked = g.scopes(oddities)
	}
	if g.chance(35) {
		s.base = g.tables(oddities, s.tagsFollow)
		if len(s.base) > 0 && s.base[0].Location != "" && g.chance(40) { // where a table is pulled from
			s.insecure = append(s.insecure, s.base[0].Location)
		}
	}
	if g.chance(50) {
		about := s.stated()
		for _, r := range s.base {
			about = append(about, scope(r))
		}
		for range 1 + g.IntN(2) {
			s.dropIns = append(s.dropIns, g.tables(oddities, s.tagsFollow, about...))
		}
	}
	s.tagsFollow = s.tagsFollow && s.edited()
	s.images = g.images(s)
	return s
}

func (g generator) scopes(oddities int) []string {
	var out []string
	for range 1 + g.IntN(2) {
		if g.chance(40) { // where mirrors are
			out = append(out, g.pick(mirrors)+g.path(2))
		} else {
			out = append(out, g.source(oddities))
		}
	}
	return out
}

// tables makes tables of one file, half of them about some of about.
func (g generator) tables(oddities int, tagsFollow bool, about ...string) []sr536.Registry {
	out := []sr536.Registry{}
	for range g.IntN(4) {
		r := sr536.Registry{Prefix: g.source(oddities)}
		if len(about) > 0 && g.chance(50) {
			r.Prefix = g.pick(about)
		}
		if r.Prefix == "/" { // no prefix for a reader, the location for a writer
			r.Prefix = ""
		}
		switch {
		case strings.HasPrefix(r.Prefix, "*.") && g.chance(70):
		case g.chance(70):
			r.Location = r.Prefix
			if g.chance(50) {
				r.Prefix = ""
			}
		case g.chance(50):
			r.Location = g.source(oddities) // often one that is stated elsewhere
		default:
			r.Location = g.pick(mirrors) + g.path(2)
		}
		r.Insecure, r.Blocked = g.chance(15), g.chance(15)
		if !tagsFollow { // this project's own: digest-only mirrors then serve tags
			r.MirrorByDigestOnly = g.chance(15)
		}
		for _, m := range g.list(r.Prefix, oddities) {
			e := sr536.Endpoint{Location: m, Insecure: g.chance(15)}
			if !r.MirrorByDigestOnly {
				e.PullFromMirror = g.pick([]string{"", "", "all", "digest-only", "tag-only"})
			}
			if g.chance(1) {
				e.PullFromMirror = "never"
			}
			r.Mirrors = append(r.Mirrors, e)
		}
		out = append(out, r)
	}
	return out
}

// images returns references in, above and beside the sources of s.
func (g generator) images(s *policySet) []string {
	sources := []string{g.pick(hosts), g.pick(hosts) + g.path(2)}
	sources = append(sources, s.stated()...)
	for _, t := range append([][]sr536.Registry{s.base}, s.dropIns...) {
		for _, r := range t {
			sources = append(sources, r.Prefix, r.Location)
		}
	}
	out := []string{"alpine", "foo.redhat.io.redhat.io/a:t"}
	for _, source := range sources {
		if rest, ok := strings.CutPrefix(source, "*."); ok {
			source = g.pick([]string{"a.", "x.", "x.a.", "redhat.io."}) + rest
			if g.chance(20) {
				source += ":5000"
			}
		}
		source = strings.TrimRight(source, "/")
		if !strings.Contains(source, "/") && !strings.Contains(source, ":") && g.chance(15) {
			source += ":443"
		}
		for range 2 {
			name := source + g.path(2)
			if !strings.Contains(name, "/") {
				name += "/" + g.pick(parts)
			}
			out = append(out, name+g.pick(suffixes))
		}
	}
	return out
}

var suffixes = []string{
	"", ":t", ":4.15", "@sha256:" + strings.Repeat("ab", 32), "@sha256:" + strings.Repeat("cd", 32), "@sha256:" + strings.Repeat("01", 32),
	":t@sha256:" + strings.Repeat("ef", 32),
}
