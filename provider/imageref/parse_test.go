package imageref_test

import (
	_ "crypto/sha256" // so that the oracle has the algorithms
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/distribution/reference"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

var digest = "sha256:" + strings.Repeat("ab", 32)

var seeds = []string{
	"", "a", "alpine", "alpine:3", "library/alpine", "docker.io/alpine", "docker.io/library/alpine",
	"index.docker.io/a", "index.docker.io/a/b", "docker.io", "docker.io/", "docker.io/library/", "localhost", "localhost/a", "localhost:5000/a",
	"quay.io/a/b:4.15", "quay.io/a/b@" + digest, "quay.io/a/b:4.15@" + digest, "quay.io:443/a", "quay.io:/a", "quay.io:x/a", ":5000/a",
	"LOCAL/a", "Local/A", "quay.io/A", "A", "a/B", "a:B", "quay.io/a:" + strings.Repeat("t", 128), "quay.io/a:" + strings.Repeat("t", 129),
	"my_host.com/a", "my_host/a", "-a.com/b", "a-.com/b", "a..com/b", "a.com./b", ".a/b", "a.com//b", "a.com/b/", "/a", "a/",
	"a.com/b_c", "a.com/b__c", "a.com/b___c", "a.com/b--c", "a.com/b.-c", "a.com/b.", "a.com/_b", "a.com/b..c",
	"[::1]:5000/a", "[::1]/a", "[::1/a", "[]/a", "[::1]:/a", "[fe80::1%eth0]/a", "::1/a", "[::1]", "[FC00::1]:1/a/b:c",
	"a@sha256:abc", "a@" + digest + "0", "a@sha512:" + strings.Repeat("0", 128), "a@sha384:" + strings.Repeat("0", 96), "a@SHA256:" + strings.Repeat("0", 64),
	"a@sha256:" + strings.Repeat("A", 64), "a@md5:" + strings.Repeat("0", 32), "a@", "a:", "a:@" + digest, "a:-b", "a:b:c", "a:b/c", "a@b/c",
	strings.Repeat("a", 64), strings.Repeat("f", 63), strings.Repeat("0", 64) + "/a", "*.redhat.io/a", "https://quay.io/a", "a b", "ä", "Ä/b", "a.com/ä", "\xff.com/a", "\xff/a",
	"a.com/" + strings.Repeat("b", 249), "a.com/" + strings.Repeat("b", 250), strings.Repeat("a", 246), strings.Repeat("a", 238), strings.Repeat("a", 237),
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { compareParse(t, s) })
}

// compareParse holds Parse against distribution/reference, with the two
// exceptions that Parse documents.
func compareParse(t *testing.T, s string) {
	t.Helper()
	got, err := imageref.Parse(s)
	want, wantErr := reference.ParseNormalizedNamed(s)
	if wantErr == nil && (len(want.Name()) > 255 || reference.Domain(want) == "") {
		if err == nil {
			t.Fatalf("Parse(%q) = %s, want an error", s, got)
		}
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("Parse(%q): %v, distribution/reference: %v", s, err, wantErr)
	}
	if err != nil {
		return
	}
	tag, digest := "", ""
	if w, ok := want.(reference.Tagged); ok {
		tag = w.Tag()
	}
	if w, ok := want.(reference.Digested); ok {
		digest = w.Digest().String()
	}
	gotAll := [...]string{got.String(), got.Registry(), got.Repository(), got.Name(), got.Tag(), got.Digest()}
	wantAll := [...]string{want.String(), reference.Domain(want), reference.Path(want), want.Name(), tag, digest}
	if gotAll != wantAll {
		t.Fatalf("Parse(%q) = %q, want %q", s, gotAll, wantAll)
	}
	second, err := imageref.Parse(got.String())
	if err != nil || second != got {
		t.Fatalf("Parse(%q) = %#v, %v; not the same again: %#v", got, second, err, got)
	}
	if n := got.Normalize(); n.Normalize() != n || imageref.MustParse(n.String()) != n {
		t.Fatalf("Normalize(%s) = %#v is not what parsing it gives", got, n)
	}
}

// TestParse walks strings over a small alphabet, which fuzzing reaches only in
// long runs.
func TestParse(t *testing.T) {
	for _, s := range seeds {
		compareParse(t, s)
	}
	var all func(prefix string, n int)
	all = func(prefix string, n int) {
		compareParse(t, prefix)
		if n == 0 {
			return
		}
		for _, c := range []string{"a", "A", ".", ":", "/", "_", "-", "0"} {
			all(prefix+c, n-1)
		}
	}
	depth := 5
	if testing.Short() {
		depth = 3
	}
	for _, start := range []string{"", "a.b/a", "a/", "localhost/", "docker.io/", "a.b/a:", "a.b:1/a@"} {
		all(start, depth-min(len(start)/3, 2))
	}
}

func TestParseErrors(t *testing.T) {
	for s, want := range map[string]string{
		"":                                  "empty",
		strings.Repeat("0", 64):             "image ID",
		"quay.io/Foo":                       "lower case",
		"my_host.com/a":                     "no registry",
		"quay.io/a//b":                      "not a repository",
		"quay.io/a:-":                       "not a tag",
		"quay.io/a@sha256:12":               "not a digest",
		"a.com/" + strings.Repeat("b", 250): "255 characters",
		strings.Repeat("b", 100000):         "255 characters",
	} {
		_, err := imageref.Parse(s)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 2000 {
			t.Errorf("Parse(%.40q): %v, want it to say %q", s, err, want)
		}
	}
}

func TestAllocations(t *testing.T) {
	full, short := "quay.io/openshift-release-dev/ocp-release@"+digest, "alpine"
	for s, want := range map[string]float64{full: 0, short: 1} {
		if n := testing.AllocsPerRun(100, func() { _, _ = imageref.Parse(s) }); n > want {
			t.Errorf("Parse(%s): %v allocations, want %v", s, n, want)
		}
	}
	r := imageref.MustParse(full)
	if n := testing.AllocsPerRun(100, func() { _ = r.Normalize() }); n > 0 {
		t.Errorf("Normalize of a digest reference: %v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	s := "quay.io/openshift-release-dev/ocp-release@" + digest
	b.Run("imageref", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = imageref.Parse(s)
		}
	})
	b.Run("distribution", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = reference.ParseNormalizedNamed(s)
		}
	})
}

// Errors name the part that is wrong.
func TestParseErrorsNameThePart(t *testing.T) {
	for s, part := range map[string]string{
		"quay.io/A/b:1": `"A"`, "quay.io/a b": `"a b"`, "quay.io/a:-x": `"-x"`, "quay.io/a:1 2": `"1 2"`, "quay.io/a@sha256:12": `"sha256:12"`,
		"quay.io:x/a": `"quay.io:x"`, "quay.io/a:1@": `""`,
	} {
		if _, err := imageref.Parse(s); err == nil || !strings.Contains(err.Error(), ": "+part+": ") {
			t.Errorf("%s: %v, want it to name %s", s, err, part)
		}
	}
}

// Whoever reads a reference can tell that it is none from anything else.
func TestErrInvalid(t *testing.T) {
	good := imageref.MustParse("quay.io/a/b:1")
	for what, read := range map[string]func() error{
		"Parse":               func() error { _, err := imageref.Parse("a b"); return err },
		"Parse of nothing":    func() error { _, err := imageref.Parse(""); return err },
		"ParseCanonical":      func() error { _, err := imageref.ParseCanonical("a b"); return err },
		"of what is not full": func() error { _, err := imageref.ParseCanonical("alpine"); return err },
		"WithDigest":          func() error { _, err := good.WithDigest("sha256:0"); return err },
		"WithDigest of none":  func() error { _, err := imageref.Ref{}.WithDigest(""); return err },
		"UnmarshalText":       func() error { return new(imageref.Ref).UnmarshalText([]byte("a b")) },
	} {
		if err := read(); !errors.Is(fmt.Errorf("x: %w", err), imageref.ErrInvalid) {
			t.Errorf("%s: %v is not ErrInvalid", what, err)
		}
	}
	// The cause is there too, and is not the sentinel.
	_, err := imageref.Parse("quay.io/a:-")
	if why := errors.Unwrap(err); why == nil || errors.Is(why, imageref.ErrInvalid) {
		t.Errorf("the cause of %v is %v", err, why)
	}
}
