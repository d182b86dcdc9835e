package registry_test

import (
	"bytes"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// What is not an image manifest is said to be what it is.
func TestManifests(t *testing.T) {
	img := small(t)
	manifest := func(change func(map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(img.Manifest, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	entries := []any{map[string]any{
		"mediaType": testpayload.OCIManifest, "digest": img.Digest, "size": len(img.Manifest),
		"platform": map[string]string{"os": "linux", "architecture": "amd64"},
	}}
	for _, tt := range []struct {
		name, mediaType string
		body            []byte
		class           provider.Class // ClassUnknown: it is read
		says            string
	}{
		{"no media type inside", testpayload.OCIManifest, manifest(func(m map[string]any) { delete(m, "mediaType") }), 0, ""},
		{"none at all", "text/plain", manifest(func(m map[string]any) { delete(m, "mediaType") }), 0, ""},
		{"Docker's inside OCI's", testpayload.OCIManifest, manifest(func(m map[string]any) { m["mediaType"] = testpayload.DockerManifest }), 0, ""},
		{"parameters", testpayload.OCIManifest + "; charset=utf-8", img.Manifest, 0, ""},
		{"schema 1", "application/vnd.docker.distribution.manifest.v1+prettyjws", []byte(`{"schemaVersion":1,"fsLayers":[]}`), provider.ClassMalformed, "schema 1"},
		{"schema 3", testpayload.OCIManifest, manifest(func(m map[string]any) { m["schemaVersion"] = 3 }), provider.ClassMalformed, "schemaVersion is 3"},
		{"manifest and index", testpayload.OCIManifest, manifest(func(m map[string]any) { m["manifests"] = entries }), provider.ClassMalformed, "both"},
		{"index said to be a manifest", testpayload.OCIManifest, manifest(func(m map[string]any) {
			clear(m)
			m["schemaVersion"], m["manifests"] = 2, entries
		}), provider.ClassMalformed, "claims"},
		{"manifest said to be an index", testpayload.OCIIndex, manifest(func(m map[string]any) { delete(m, "mediaType") }), provider.ClassMalformed, "claims"},
		{"something else", testpayload.OCIManifest, manifest(func(m map[string]any) { m["mediaType"] = "application/vnd.cncf.helm" }), provider.ClassMalformed, "helm"},
		{"HTML", "text/html", []byte("<html>\x1b[31m log in"), provider.ClassMalformed, "not a manifest"},
		{"no digest", testpayload.OCIManifest, []byte(`{"schemaVersion":2,"config":{"digest":"md5:abcd"},"layers":[]}`), provider.ClassMalformed, "md5"},
		{"trailing", testpayload.OCIManifest, append(append([]byte{}, img.Manifest...), "{}"...), provider.ClassMalformed, "not a manifest"},
		{"negative size", testpayload.OCIManifest, manifest(func(m map[string]any) { m["layers"].([]any)[0].(map[string]any)["size"] = -1 }), provider.ClassMalformed, "-1 bytes"},
		{"index of other size", testpayload.OCIIndex, manifest(func(m map[string]any) {
			clear(m)
			m["schemaVersion"], m["manifests"] = 2, []any{map[string]any{
				"mediaType": testpayload.OCIManifest, "digest": img.Digest, "size": len(img.Manifest) + 1,
				"platform": map[string]string{"os": "linux", "architecture": "amd64"},
			}}
		}), provider.ClassMalformed, "the index says"},
		{"index of a giant", testpayload.OCIIndex, manifest(func(m map[string]any) {
			clear(m)
			m["schemaVersion"], m["manifests"] = 2, []any{map[string]any{
				"mediaType": testpayload.OCIManifest, "digest": img.Digest, "size": 5 << 20,
				"platform": map[string]string{"os": "linux", "architecture": "amd64"},
			}}
		}), provider.ClassLimit, "at most"},
		{"empty index", testpayload.OCIIndex, []byte(`{"schemaVersion":2,"manifests":[]}`), provider.ClassNotFound, "names no platform"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			reg.Push(repo, "", img) // what indexes name
			ref := reg.ByDigest(repo, reg.Push(repo, "", testpayload.Raw(testpayload.OCIManifest, tt.body)))
			reg.Fail(testregistry.Match{Reference: ref.Digest()}, testregistry.SetHeader("Content-Type", tt.mediaType))
			_, err := open(t, reg).Lookup(t.Context(), request(ref))
			if tt.class == provider.ClassUnknown {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, tt.class, tt.says)
			if strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("control characters in %q", err)
			}
		})
	}
}

// A few bytes an entry must not become a hundred times as much memory.
func TestManifestsAreBounded(t *testing.T) {
	const limit = 4 << 20
	list := func(element string, n int) string {
		return strings.TrimSuffix(strings.Repeat(element, n), ",")
	}
	index := func(key, elements string) []byte {
		return []byte(`{"schemaVersion":2,"` + key + `":[` + elements + `]}`)
	}
	image := func(elements string) []byte {
		return []byte(`{"schemaVersion":2,"config":{},"layers":[` + elements + `]}`)
	}
	for name, c := range map[string]struct {
		body  []byte
		class provider.Class
		says  string
	}{
		"numbers":        {index("manifests", list("0,", limit/2-50)), provider.ClassLimit, "more than 100000 values"},
		"objects":        {index("manifests", list("{},", limit/3-50)), provider.ClassLimit, "more than 100000 values"},
		"elsewhere":      {index("x", list("0,", limit/2-50)), provider.ClassLimit, "more than 100000 values"},
		"many manifests": {index("manifests", list("{},", 4097)), provider.ClassLimit, "more than 4096 entries"},
		"folded key":     {index(`MANI\u0066ests`, list("{},", 4097)), provider.ClassLimit, "more than 4096 entries"},
		"many layers":    {image(list("{},", 4097)), provider.ClassLimit, "more than 4096 entries"},
		"a number":       {index("manifests", "{},0,{}"), provider.ClassMalformed, "entry 1 is not an object"},
		"null":           {image("null"), provider.ClassMalformed, "entry 0 is not an object"},
		"no list":        {[]byte(`{"schemaVersion":2,"manifests":{}}`), provider.ClassMalformed, "want a list"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			mediaType := testpayload.OCIIndex
			if bytes.Contains(c.body, []byte(`"layers"`)) {
				mediaType = testpayload.OCIManifest
			}
			ref := reg.ByDigest(repo, reg.Push(repo, "", testpayload.Raw(mediaType, c.body)))
			p := open(t, reg)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := p.Lookup(t.Context(), request(ref))
			runtime.ReadMemStats(&after)
			wantError(t, err, c.class, c.says)
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 128 {
				t.Errorf("allocated %d MiB", mb)
			}
		})
	}
}

// Platforms are compared field by field, and only the child chosen is fetched.
func TestPlatforms(t *testing.T) {
	of := func(s string) testpayload.Image {
		p, err := provider.ParsePlatform(s)
		if err != nil {
			t.Fatal(err)
		}
		return testpayload.Must(testpayload.Release{
			Version: "4.17.3", Components: 2, Manifests: -1, BaseLayers: []int64{}, BootImages: testpayload.NoBootImages, Platform: p,
		}.Image())
	}
	there := []string{"windows/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/amd64/v3", "linux/amd64", "linux/ppc64le", "unknown/unknown"}
	var images []testpayload.Image
	for _, s := range there {
		images = append(images, of(s))
	}
	for _, docker := range []bool{false, true} {
		reg := start(t, testregistry.Config{})
		ref := reg.ByTag(repo, "multi")
		reg.Push(repo, "multi", testpayload.Index(docker, images...))
		p := open(t, reg)
		for want, chosen := range map[string]string{
			"amd64": "linux/amd64", "linux/amd64": "linux/amd64", "linux/amd64/v3": "linux/amd64/v3", "windows/amd64": "windows/amd64",
			"arm64": "linux/arm64/v8", "linux/arm64/v8": "linux/arm64/v8", "arm": "linux/arm/v6", "linux/arm/v7": "linux/arm/v7",
			"ppc64le": "linux/ppc64le", "s390x": "", "linux/amd64/v4": "", "linux/amd": "", "windows/arm64": "",
		} {
			platform, err := provider.ParsePlatform(want)
			if err != nil {
				t.Fatal(err)
			}
			reg.ResetLog()
			r, err := p.Lookup(t.Context(), provider.Request{Image: ref, Platform: platform})
			if chosen == "" {
				wantError(t, err, provider.ClassNotFound, "linux/ppc64le")
				if n := reg.Count(); n != 1 {
					t.Errorf("%s: %d requests", want, n)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", want, err)
				continue
			}
			if r.Platform().String() != chosen || reg.Count() != 3 {
				t.Errorf("%s: got %s with %d requests, want %s with 3", want, r.Platform(), reg.Count(), chosen)
			}
			for i, s := range there {
				if s == chosen && r.Digest() != images[i].Digest {
					t.Errorf("%s: digest %s, want that of the child", want, r.Digest())
				}
			}
		}
		// Variant alone is a platform too.
		if _, err := p.Lookup(t.Context(), provider.Request{Image: ref, Platform: provider.Platform{Architecture: "arm64"}}); err != nil {
			t.Error(err)
		}
	}
}

// An index in an index is refused, not followed for ever.
func TestNestedIndex(t *testing.T) {
	inner := testpayload.Index(false, small(t))
	inner.Platform = provider.Platform{OS: "linux", Architecture: "amd64"}
	reg := start(t, testregistry.Config{})
	ref := reg.ByDigest(repo, reg.Push(repo, "", testpayload.Index(false, inner)))
	_, err := open(t, reg).Lookup(t.Context(), request(ref))
	wantError(t, err, provider.ClassMalformed, "index")
}

func TestSHA512(t *testing.T) {
	img := small(t)
	var layer bytes.Buffer
	if _, err := img.Top().WriteTo(&layer); err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string { return fmt.Sprintf("sha512:%x", sha512.Sum512(b)) }
	manifest := bytes.ReplaceAll(img.Manifest, []byte(img.Top().Digest), []byte(sum(layer.Bytes())))
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case sum(layer.Bytes()):
			_, _ = w.Write(layer.Bytes())
		default:
			w.Header().Set("Content-Type", testpayload.OCIManifest)
			_, _ = w.Write(manifest)
		}
	}))
	defer srv.Close()
	p := open(t, nil, func(c *registry.Config) {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(srv.Certificate())
	})
	defer p.CloseIdleConnections() // or the server waits for them
	name := srv.Listener.Addr().String() + "/" + repo + "@"
	r, err := p.Lookup(t.Context(), request(mustParse(t, name+sum(manifest))))
	if err != nil {
		t.Fatal(err)
	}
	if r.Digest() != sum(manifest) {
		t.Errorf("digest %s", r.Digest())
	}
	_, err = p.Lookup(t.Context(), request(mustParse(t, name+sum(nil))))
	wantError(t, err, provider.ClassDigest, "not "+sum(nil))
}

// Neither tag nor digest is latest, both are the digest.
func TestNormalized(t *testing.T) {
	img := small(t)
	reg := start(t, testregistry.Config{})
	digest := reg.Push(repo, "latest", img)
	p := open(t, reg)
	for text, want := range map[string]string{
		reg.Host() + "/" + repo:                     reg.Host() + "/" + repo + ":latest",
		reg.Host() + "/" + repo + ":gone@" + digest: reg.Host() + "/" + repo + "@" + digest,
	} {
		ref := mustParse(t, text)
		r, err := p.Lookup(t.Context(), request(ref))
		if err != nil {
			t.Fatal(err)
		}
		if r.Image() != ref || r.PulledFrom().String() != want {
			t.Errorf("%s: image %s, pulled from %s", text, r.Image(), r.PulledFrom())
		}
	}
}

// Open reads the manifest and no more.
func TestOpen(t *testing.T) {
	img := testpayload.Must(testpayload.Release{}.Image())
	reg := start(t, testregistry.Config{})
	req := request(reg.ByDigest(repo, reg.Push(repo, "", testpayload.Index(false, img))))
	o, err := open(t, reg).Open(t.Context(), req, "")
	if err != nil {
		t.Fatal(err)
	}
	if o.Digest() != img.Digest || o.Platform() != img.Platform || reg.Count(manifests) != 2 || reg.Count() != 2 {
		t.Errorf("%s %s after %d requests", o.Digest(), o.Platform(), reg.Count())
	}
	r, err := o.Release(t.Context())
	if err != nil || r.Digest() != o.Digest() || reg.Count() != 3 {
		t.Errorf("%v after %d requests", err, reg.Count())
	}
}
