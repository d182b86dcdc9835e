package imageref_test

import (
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

var locations = []string{
	"m.com", "m.com:8443", "m.com/a", "m.com/a/b", "m.com:1/a_b", "localhost", "localhost/a", "nodot", "nodot/ns", "nodot:5000/ns", "UP/a", "UP.com/a",
	"docker.io", "docker.io/a", "docker.io/a/b", "index.docker.io", "index.docker.io/a", "", "/", "m.com/", "m.com//a", "m.com/A", "m.com/a:tag", "m.com/a-",
	"m.com/a@" + digest, "m_m.com", "m_m.com/a", "[::1]:5000", "[::1]/a", "https://m.com", "*.m.com", "m.com/" + strings.Repeat("x", 240), "m.com:", "m.com:x", "-m.com",
	strings.Repeat("m", 600),
}

var images = []string{
	"quay.io/a/b@" + digest, "quay.io/a/b:t", "quay.io/a/b:t@" + digest, "quay.io/a/b", "quay.io:443/a/b:t", "alpine", "docker.io/a/b", "localhost/a", "[::1]:5000/a/b:t", "x.redhat.io:5000/z",
}

func FuzzRebase(f *testing.F) {
	for _, l := range locations {
		for i, s := range images {
			f.Add(l, s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, location, image string, boundary uint8) {
		if r, err := imageref.Parse(image); err == nil {
			compareRebase(t, location, r, int(boundary))
		}
	})
}

func TestRebase(t *testing.T) {
	for _, l := range locations {
		for _, s := range images {
			for boundary := range 6 {
				compareRebase(t, l, imageref.MustParse(s), boundary)
			}
		}
	}
}

// compareRebase holds Rebase against putting the text together and parsing it
// whole, at one of the places where a source can end in a name.
func compareRebase(t *testing.T, location string, r imageref.Ref, boundary int) {
	t.Helper()
	cuts := []int{len(r.Name())}
	for i, c := range []byte(r.Name()) {
		if c == ':' || c == '/' {
			cuts = append(cuts, i)
		}
	}
	cut := cuts[boundary%len(cuts)]
	text := location + r.Normalize().String()[cut:]
	want, wantErr := imageref.Parse(text)
	registry := want.Registry()
	nodes := wantErr == nil && want.String() == text && text[0] != '[' && (strings.ContainsAny(registry, ".:") || registry == "localhost")

	// In company, so that shared memory shows.
	bases := []imageref.Base{imageref.SameBase(), imageref.NewBase("first.com/mirror/of"), imageref.NewBase(location), imageref.SameBase()}
	dst := make([]imageref.Ref, len(bases))
	failed, err := imageref.Rebase(dst, r, cut, bases)
	if err != nil && failed == 1 {
		return // too long, or a port behind a path
	}
	switch {
	case nodes != (err == nil):
		t.Fatalf("%s cut at %d onto %q: %v, want %q: %v (accepted by nodes: %v)", r, cut, location, err, text, wantErr, nodes)
	case err != nil:
		if failed != 2 {
			t.Fatalf("%s onto %q: base %d failed, want 2", r, location, failed)
		}
	case dst[2] != want || dst[0] != r.Normalize() || dst[3] != r.Normalize():
		t.Fatalf("%s cut at %d onto %q = %#v, want %#v", r, cut, location, dst, want)
	}
}

func TestParseCanonical(t *testing.T) {
	for s, ok := range map[string]bool{
		"quay.io/a:t": true, "[::1]:5000/a": true, "alpine": false, "docker.io/alpine": false, "nodot/a": false, "quay.io": false, "quay.io/A": false,
	} {
		if r, err := imageref.ParseCanonical(s); (err == nil) != ok || ok && r.String() != s {
			t.Errorf("ParseCanonical(%s) = %s, %v", s, r, err)
		}
	}
}

// A mirror without a registry host is called that, and no reference is made up.
func TestRebaseWithoutHost(t *testing.T) {
	r := imageref.MustParse("quay.io/a/b:1")
	for location, want := range map[string]string{
		"mirror-a/ocp": "starts with no registry host", "docker.io/x": "", "MIRROR/ocp": "want a host with a dot or a port",
	} {
		_, err := imageref.Rebase(make([]imageref.Ref, 1), r, len("quay.io/a"), []imageref.Base{imageref.NewBase(location)})
		switch {
		case want == "" && err == nil:
		case want == "" || err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", location, err, want)
		case want == "starts with no registry host" && strings.Contains(err.Error(), "docker.io"):
			t.Errorf("%s: %v", location, err)
		}
	}
}
