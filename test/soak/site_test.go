package soak_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// site is the world outside: registries, what they hold, and who may read it.
type site struct {
	tb        testing.TB
	endpoints []*endpoint
	byName    map[string]*endpoint
	byHost    map[string]*endpoint
	ca        *testregistry.CA
	lines     []*line
	contents  map[string]*content // by the digest of a manifest
	targets   []target            // releases
	apps      []target            // other images
	tenants   []*tenant
	byRef     map[imageref.Ref]*target
	moves     []testpayload.Image // what moving tags may name
}

// line is one source of images, and where its mirrors have them.
type line struct {
	name    string
	source  *endpoint
	repo    string
	mirrors []*endpoint
	mirror  string // the repository at each of them
}

// content is what a manifest leads to, as it was made.
type content struct {
	digest     string
	version    string            // "" for what is no release
	components map[string]string // name to canonical reference
	bootImages []byte
	config     []byte
	file       string // what tagFile says
	platform   provider.Platform
}

// target is something to ask for.
type target struct {
	line   *line
	ref    imageref.Ref
	moving bool              // a tag whose digest changes
	want   map[string]string // the digest by platform, unless it moves
	named  string            // the digest that ref names, of an index itself
}

const (
	releases  = 9
	tagMoving = "latest-4.17"
	appFile   = "etc/app"
)

var platforms = []provider.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

func newSite(tb testing.TB, j *journal) *site {
	tb.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		tb.Fatal(err)
	}
	s := &site{tb: tb, ca: ca, byName: map[string]*endpoint{}, byHost: map[string]*endpoint{}, contents: map[string]*content{}}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		e := startEndpoint(tb, j, name, ca)
		s.endpoints = append(s.endpoints, e)
		s.byName[name], s.byHost[e.Host()] = e, e
	}
	first, second, third := s.byName["first"], s.byName["second"], s.byName["third"]
	s.lines = []*line{
		{name: "main", source: s.byName["source"], repo: "ocp/release", mirrors: []*endpoint{first, second, third}, mirror: "main/release"},
		{name: "public", source: s.byName["source"], repo: publicPart + "/release", mirrors: []*endpoint{second, third}, mirror: publicPart + "/release"},
		{name: "bare", source: s.byName["source"], repo: "bare/release"},
		{name: "switched", source: s.byName["switched"], repo: "ocp/release", mirrors: []*endpoint{third, first}, mirror: "switched/release"},
		{name: "shut", source: s.byName["shut"], repo: "ocp/release", mirrors: []*endpoint{second, first}, mirror: "shut/release"},
	}
	s.fill()
	s.byRef = map[imageref.Ref]*target{}
	for _, all := range [][]target{s.targets, s.apps} {
		for i := range all {
			s.byRef[all[i].ref] = &all[i]
		}
	}
	s.addTenants()
	return s
}

func (s *site) close() {
	for _, e := range s.endpoints {
		e.Close()
	}
}

// places returns the endpoints of a line, with the repository there.
func (l *line) places() map[*endpoint]string {
	p := map[*endpoint]string{l.source: l.repo}
	for _, m := range l.mirrors {
		p[m] = l.mirror
	}
	return p
}

// fill makes the images and pushes them: every release on every line, but for some
// that the third mirror lacks; other images and indexes on the main one.
func (s *site) fill() {
	for n := range releases {
		img := s.release(n, platforms[0])
		s.moves = append(s.moves, img)
		for _, l := range s.lines {
			tag := fmt.Sprintf("4.17.%d", n)
			for e, repo := range l.places() {
				if e.name == "third" && n%4 == 3 {
					e.lacks[img.Digest] = true
					continue
				}
				e.Push(repo, tag, img)
			}
			want := map[string]string{platforms[0].String(): img.Digest, platforms[1].String(): img.Digest}
			s.targets = append(s.targets, target{line: l, ref: l.source.ByDigest(l.repo, img.Digest), want: want, named: img.Digest})
			if n < 2 {
				s.targets = append(s.targets, target{line: l, ref: l.source.ByTag(l.repo, tag), want: want, named: img.Digest})
			}
			if n == 0 { // the moving tag begins there
				for e, repo := range l.places() {
					e.tags[repo] = &history[string]{}
					e.tags[repo].change(img.Digest, func() { e.Push(repo, tagMoving, img) })
				}
				s.targets = append(s.targets, target{line: l, ref: l.source.ByTag(l.repo, tagMoving), moving: true})
			}
		}
	}
	main := s.lines[0]
	for n := range 2 {
		children := []testpayload.Image{s.release(100+2*n, platforms[0]), s.release(101+2*n, platforms[1])}
		index := testpayload.Index(n == 0, children...)
		for e, repo := range main.places() {
			e.Push(repo, fmt.Sprintf("multi-%d", n), index)
		}
		want := map[string]string{platforms[0].String(): children[0].Digest, platforms[1].String(): children[1].Digest}
		s.targets = append(s.targets,
			target{line: main, ref: main.source.ByDigest(main.repo, index.Digest), want: want, named: index.Digest},
			target{line: main, ref: main.source.ByTag(main.repo, fmt.Sprintf("multi-%d", n)), want: want, named: index.Digest})
	}
	for n := range 4 {
		text := fmt.Sprintf("app %d", n)
		img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{
			{Entries: []testpayload.Entry{testpayload.File(appFile, "hidden"), testpayload.Zeros("usr/zeros", 50_000)}},
			{Entries: []testpayload.Entry{testpayload.File(appFile, text)}, Compression: testpayload.Compression(n % 3)},
		}}.Image())
		s.contents[img.Digest] = &content{digest: img.Digest, config: img.Config().Bytes(), file: text}
		for _, l := range s.lines {
			for e, repo := range l.places() {
				e.Push(repo, fmt.Sprintf("app-%d", n), img)
			}
			want := map[string]string{platforms[0].String(): img.Digest, platforms[1].String(): img.Digest}
			ref := l.source.ByDigest(l.repo, img.Digest)
			if n == 0 {
				ref = l.source.ByTag(l.repo, "app-0")
			}
			s.apps = append(s.apps, target{line: l, ref: ref, want: want, named: img.Digest})
		}
	}
}

func (s *site) release(n int, p provider.Platform) testpayload.Image {
	r := testpayload.Release{
		Version: fmt.Sprintf("4.17.%d", n), Components: 5 + n%3, Manifests: 10, BaseLayers: []int64{1000},
		BootImages: testpayload.BootImages(n % 3), Platform: p, Docker: n%2 == 1,
	}
	img := testpayload.Must(r.Image())
	c := &content{
		digest: img.Digest, version: r.Version, components: map[string]string{},
		bootImages: r.BootImagesConfigMap(), config: img.Config().Bytes(), platform: p,
	}
	for _, name := range r.ComponentNames() {
		c.components[name] = r.ComponentDigest(name)
	}
	s.contents[img.Digest] = c
	return img
}

// move points the moving tag of a line at another release, one endpoint after the
// other, the source first as it is when mirrors follow.
func (s *site) move(l *line, n int) {
	img, places := s.moves[n], l.places()
	for _, e := range append([]*endpoint{l.source}, l.mirrors...) {
		repo := places[e]
		e.tags[repo].change(img.Digest, func() { e.Push(repo, tagMoving, img) })
	}
}

// generations of the password of who rotates.
const generations = 3

func (s *site) addTenants() {
	add := func(name string, c provider.Credentials) {
		t := &tenant{name: name}
		t.credentials.change(c, func() {})
		s.tenants = append(s.tenants, t)
	}
	add("everywhere", secret(s.tb, "everywhere", 0, s.endpoints))
	add("limited", secret(s.tb, "limited", 0, s.endpoints))
	add("rotating", secret(s.tb, "rotating", 0, s.endpoints))
	add("revoked", secret(s.tb, "revoked", 0, s.endpoints))
	add("wrong", secret(s.tb, "everywhere", 99, s.endpoints))
	add("anonymous", provider.Credentials{})
	for _, e := range s.endpoints {
		e.admit(initialAccounts(e))
	}
}

func initialAccounts(e *endpoint) accounts {
	as := accounts{"everywhere": {}, "rotating": {}, "revoked": {}}
	if e.name == "first" {
		as["limited"] = account{repos: []string{"main/release"}}
	}
	return as
}

// rotate gives the rotating tenant another password, first where it is checked, then
// in its pull secret, and lets the revoked one in or out somewhere.
func (s *site) rotate(r *rand.Rand, generation int) {
	for _, e := range s.endpoints {
		as := maps.Clone(e.users.latest())
		as["rotating"] = account{generation: generation % generations}
		if r.IntN(3) == 0 {
			if _, in := as["revoked"]; in {
				delete(as, "revoked")
			} else {
				as["revoked"] = account{}
			}
		}
		e.admit(as)
	}
	t := s.tenants[2]
	t.credentials.change(secret(s.tb, t.name, generation%generations, s.endpoints), func() {})
}
