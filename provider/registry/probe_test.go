package registry_test

import (
	"context"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func TestProbe(t *testing.T) {
	head, get := testregistry.Match{Method: "HEAD"}, testregistry.Match{Method: "GET"}
	img := component()
	for name, c := range map[string]struct {
		fault      testregistry.Action
		match      testregistry.Match
		absent     bool // ask for what is not there
		tag        bool
		class      provider.Class
		heads, get int
	}{
		"there":                {heads: 1},
		"a tag":                {tag: true, heads: 1},
		"missing":              {absent: true, class: provider.ClassNotFound, heads: 1, get: 1},
		"404 to HEAD":          {fault: testregistry.Status(404), match: head, heads: 1, get: 1},
		"405 to HEAD":          {fault: testregistry.Status(405), match: head, heads: 1, get: 1},
		"500 to HEAD":          {fault: testregistry.Status(500), match: head, heads: 1, get: 1},
		"busy":                 {fault: testregistry.Status(503), class: provider.ClassServer, heads: 1},
		"501 to HEAD":          {fault: testregistry.Status(501), match: head, heads: 1, get: 1},
		"403 to HEAD":          {fault: testregistry.Status(403), match: head, heads: 1, get: 1},
		"no digest":            {fault: testregistry.SetHeader("Docker-Content-Digest", ""), match: head, heads: 1, get: 1},
		"another digest":       {fault: testregistry.SetHeader("Docker-Content-Digest", other), match: head, heads: 1, get: 1},
		"a tag without digest": {tag: true, fault: testregistry.SetHeader("Docker-Content-Digest", ""), match: head, heads: 1, get: 1},
		"401":                  {fault: testregistry.Status(401), class: provider.ClassUnauthorized, heads: 1},
		"too many":             {fault: testregistry.RetryLater(429, "7"), class: provider.ClassThrottled, heads: 1},
		"another manifest":     {fault: testregistry.Replace([]byte("{}")), match: get, class: provider.ClassDigest, heads: 1, get: 1},
	} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			ref := reg.ByDigest(repo, reg.Push(repo, "v1", img))
			if c.tag {
				ref = reg.ByTag(repo, "v1")
			}
			if c.absent {
				ref, _ = ref.WithDigest(other)
			}
			if c.fault.String() != "" {
				reg.Fail(c.match, c.fault)
			}
			if name == "another manifest" {
				reg.Fail(head, testregistry.Status(404))
			}
			digest, err := open(t, reg).Head(t.Context(), request(ref))
			if c.class != provider.ClassUnknown {
				wantError(t, err, c.class, "")
			} else if err != nil || digest != img.Digest {
				t.Errorf("%q, %v", digest, err)
			}
			if h, g := reg.Count(head), reg.Count(get); h != c.heads || g != c.get {
				t.Errorf("%d times HEAD and %d times GET, want %d and %d", h, g, c.heads, c.get)
			}
		})
	}
}

const other = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// A registry that denied by HEAD what it has is asked by GET alone; one that has
// not got it is not taken for such a one.
func TestProbeRemembersRefusedHead(t *testing.T) {
	reg := start(t, testregistry.Config{})
	img := component()
	there := reg.ByDigest(repo, reg.Push(repo, "v1", img))
	missing, err := there.WithDigest(other)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, reg)
	ask := func(ref imageref.Ref, want provider.Class) {
		t.Helper()
		if _, err := p.Head(t.Context(), request(ref)); provider.ClassOf(err) != want && (err != nil || want != provider.ClassUnknown) {
			t.Fatalf("%v, want class %s", err, want)
		}
	}
	head := testregistry.Match{Method: "HEAD"}
	ask(missing, provider.ClassNotFound)
	ask(there, provider.ClassUnknown)
	if n := reg.Count(head); n != 2 {
		t.Errorf("%d times HEAD, want 2: a missing image says nothing of HEAD", n)
	}
	reg.Fail(head, testregistry.Status(404))
	ask(there, provider.ClassUnknown)
	ask(there, provider.ClassUnknown)
	ask(missing, provider.ClassNotFound)
	if n := reg.Count(head); n != 3 {
		t.Errorf("%d times HEAD, want 3: it answers HEAD wrongly, and that is known", n)
	}
}

// Whoever calls has the end of its context told as what it is.
func TestProbeCanceled(t *testing.T) {
	reg := start(t, testregistry.Config{})
	ref := reg.ByDigest(repo, reg.Push(repo, "", component()))
	reg.Fail(manifests, testregistry.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer cancel(); _ = reg.Wait(ctx, 1, manifests) }()
	_, err := open(t, reg).Head(ctx, request(ref))
	wantError(t, err, provider.ClassCanceled, "")
}
