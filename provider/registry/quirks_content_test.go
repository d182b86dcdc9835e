package registry_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func slowCache(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Fail(manifests, testregistry.Delay(time.Second)) // it fetches the image first
	p := open(t, reg, shortFirstByte)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := p.Lookup(ctx, req)
	wantError(t, err, provider.ClassTimeout, "no answer within 200ms")
	req.Last = true
	if _, err := p.Lookup(ctx, req); err != nil {
		t.Error(err)
	}
	// The caller's time is that: its end is the end.
	short, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err = p.Lookup(short, req)
	wantError(t, err, provider.ClassTimeout, "context deadline exceeded")
	// Who has set no end keeps ours.
	_, err = p.Lookup(context.WithoutCancel(t.Context()), req)
	wantError(t, err, provider.ClassTimeout, "no answer within 200ms")
}

func deadAddress(t *testing.T) {
	const dead = 2
	reg, err := testregistry.Start(testregistry.Config{Names: []string{"registry.test"}, DeadAddresses: dead})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(reg.Close)
	_, port, err := net.SplitHostPort(reg.Host())
	if err != nil {
		t.Fatal(err)
	}
	digest := reg.Push(repo, "", small(t))
	p := open(t, reg, func(c *registry.Config) {
		c.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{
				netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.1"),
			}, nil
		}
	})
	if _, err := p.Lookup(t.Context(), request(imageref.MustParse("registry.test:"+port+"/"+repo+"@"+digest))); err != nil {
		t.Error(err)
	}
	if n := reg.Main().Stats().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

func rootsElsewhere(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{
		RequireClientCertificate: true, RedirectBlobs: true,
		Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true},
	}, password)
	dir := t.TempDir()
	if err := reg.WriteCertsDir(dir); err != nil {
		t.Fatal(err)
	}
	p := open(t, nil, func(c *registry.Config) { c.TLS = registry.CertDirs(dir) })
	lookups(t, reg, p, req, 5)
	for _, q := range reg.Requests() {
		if (q.ClientCertificate != "") != (q.Endpoint == "registry") {
			t.Errorf("%s got the client certificate %q", q.Endpoint, q.ClientCertificate)
		}
	}
	// They count for where this registry leads, and for nothing else there.
	_, err := p.Lookup(t.Context(), request(imageref.MustParse(reg.Storage().Addr()+"/a:b")))
	wantError(t, err, provider.ClassTLS, "unknown authority")
}

func unreadableCerts(t *testing.T) {
	if os.Geteuid() == 0 {
		unreadableAsRoot(t)
		return
	}
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	dirs := []string{t.TempDir(), t.TempDir()}
	if err := reg.WriteCertsDir(dirs[0]); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dirs[0], reg.Host())
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(locked, 0o700) })
	trusting := open(t, reg, func(c *registry.Config) { c.TLS = registry.CertDirs(dirs...) })
	lookups(t, reg, trusting, req, 2)
	_, err := open(t, nil, func(c *registry.Config) { c.TLS = registry.CertDirs(dirs...) }).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassTLS, "not read: open "+locked+": permission denied")
	if err := reg.WriteCertsDir(dirs[1]); err != nil {
		t.Fatal(err)
	}
	lookups(t, reg, open(t, nil, func(c *registry.Config) { c.TLS = registry.CertDirs(dirs...) }), req, 2)
}

// What is no regular file is refused at once, whoever may read it.
func unreadableAsRoot(t *testing.T) {
	dir := t.TempDir()
	host := filepath.Join(dir, "r.test")
	if err := os.Mkdir(host, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(string) error{
		"fifo.crt": mkfifo,
		"zero.crt": func(f string) error { return os.Symlink("/dev/zero", f) },
	} {
		file := filepath.Join(host, name)
		if err := make(file); err != nil {
			t.Fatal(err)
		}
		if _, err := registry.CertDirs(dir)("r.test"); err == nil || !strings.Contains(err.Error(), name+": not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertDirsSpecialFiles(t *testing.T) { unreadableAsRoot(t) }

// A proxy compresses for whoever does not say that it must not.
func noAcceptEncoding(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
	reg.Fail(testregistry.Match{If: func(q testregistry.Request) bool {
		return strings.Join(q.Header.Values("Accept-Encoding"), ",") != "identity"
	}}, testregistry.Gzip(false))
	lookups(t, reg, open(t, reg), req, 4)
	for _, q := range reg.Requests() {
		if q.Fault != "" {
			t.Errorf("%s was compressed", q.Path)
		}
	}
}

// Another one compresses for everybody.
func gzipOnTheWay(t *testing.T) {
	for _, announced := range []bool{false, true} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
		reg.Fail(testregistry.Match{}, testregistry.Gzip(announced))
		want := 4
		if !announced {
			want = 5 // only the digest tells, and then the layer has been read
		}
		lookups(t, reg, open(t, reg), req, want)
		// What is swapped is found out all the same.
		reg.ClearFaults()
		reg.Fail(blobs, testregistry.ServeBlob(testpayload.NewBlob("", []byte("swapped"))))
		_, err := open(t, reg).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassDigest, "")
	}
	// Errors are read, too.
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Remove(repo, req.Image.Digest())
	reg.Fail(testregistry.Match{}, testregistry.Gzip(false))
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassNotFound, "manifest unknown")
}

// A server says gzip of a layer that is stored as gzip.
func storedGzip(t *testing.T) {
	for _, encoding := range []string{"gzip", "x-gzip"} {
		reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
		reg.Fail(blobs, testregistry.SetHeader("Content-Encoding", encoding))
		lookups(t, reg, open(t, reg), req, 2)
	}
}

func cutBlob(t *testing.T) {
	// The layer is cut off three times: twice after much of it, once after little.
	big := testpayload.Must(testpayload.Release{
		Components: 2, Manifests: -1, BaseLayers: []int64{}, BootImages: testpayload.NoBootImages,
		Files: map[string][]byte{testpayload.MetadataFile: noise(4 << 20)},
	}.Image())
	reg := start(t, testregistry.Config{})
	req := request(reg.ByDigest(repo, reg.Push(repo, "", big)))
	for range 2 {
		reg.Inject(testregistry.Fault{Match: blobs, Times: 1, Action: testregistry.CutOff(1<<20 + 1)})
	}
	reg.Inject(testregistry.Fault{Match: blobs, Times: 1, Action: testregistry.ResetAfter(1000)})
	img, err := open(t, reg).Image(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := img.Files(t.Context(), testpayload.MetadataFile); err != nil {
		t.Error(err)
	}
	var ranges []string
	for _, q := range reg.Requests(blobs) {
		ranges = append(ranges, q.Header.Get("Range"))
	}
	if len(ranges) != 4 || ranges[0] != "" || ranges[1] == "" || ranges[3] == ranges[1] {
		t.Errorf("ranges %q", ranges)
	}

	// One that breaks at once, each time, is asked once more and no further.
	small, req := quirky(t, testregistry.Config{}, provider.Credential{})
	for _, action := range []testregistry.Action{testregistry.CutOff(100), testregistry.ResetAfter(100)} {
		small.ResetLog()
		undo := small.Fail(blobs, action)
		_, err := open(t, small).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassUnreachable, "cut off after ")
		if n := small.Count(blobs); n != 2 {
			t.Errorf("%s: %d requests for the layer, want 2", action, n)
		}
		undo()
	}
}

// noise returns n bytes that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func cutBlobNoRanges(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{NoRanges: true}, provider.Credential{})
	reg.Inject(testregistry.Fault{Match: blobs, Times: 1, Action: testregistry.CutOff(100)})
	lookups(t, reg, open(t, reg), req, 3)
}

func cutManifest(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Inject(testregistry.Fault{Match: manifests, Times: 1, Action: testregistry.CutOff(10)})
	lookups(t, reg, open(t, reg), req, 3)
	reg.ResetLog()
	reg.Fail(manifests, testregistry.CutOff(10))
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnreachable, "cut off")
	if n := reg.Count(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func webPage(t *testing.T) {
	const says = "a web page from "
	portal := start(t, testregistry.Config{})
	portal.Fail(testregistry.Match{}, testregistry.Page(200))
	for _, tt := range []struct {
		name  string
		match testregistry.Match
		act   testregistry.Action
		from  *testregistry.Registry // nil is the registry
	}{
		{"manifest", manifests, testregistry.Page(200), nil},
		{"blob", blobs, testregistry.Page(200), nil},
		{"token", tokens, testregistry.Page(200), nil},
		{"manifest forbidden", manifests, testregistry.Page(403), nil},
		{"blob forbidden", blobs, testregistry.Page(403), nil},
		{"sent to a portal", manifests, testregistry.RedirectWith(302, portal.URL()+"/login"), portal},
	} {
		reg, req := quirky(t, testregistry.Config{CA: portal.CA(), Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
		reg.Fail(tt.match, tt.act)
		from := reg
		if tt.from != nil {
			from = tt.from
		}
		_, err := open(t, reg).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassUnreachable, says+from.Host())
		req.Image = reg.ByTag(repo, "tag")
		reg.Push(repo, "tag", small(t))
		_, err = open(t, reg).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassUnreachable, says+from.Host())
	}
	// A page that somebody has pushed under the digest asked for is no portal's.
	reg := start(t, testregistry.Config{})
	pushed := testpayload.Raw("text/html", []byte("<html></html>"))
	_, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", pushed))))
	if class := provider.ClassOf(err); class == provider.ClassUnreachable {
		t.Errorf("got %v", err)
	}
}

func networkLogin(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Fail(testregistry.Match{}, testregistry.Page(511))
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnreachable, "a web page from "+reg.Host()) // which nobody retries
	if n := reg.Count(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func redirectNowhere(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Fail(manifests, testregistry.RedirectWith(302, ""))
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassMalformed, "a redirect without a Location")
	if n := reg.Count(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func acceptByLine(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{AcceptByLine: true}, provider.Credential{})
	lookups(t, reg, open(t, reg), req, 2)
	if lines := reg.Requests(manifests)[0].Header.Values("Accept"); len(lines) != 6 || strings.Contains(strings.Join(lines, ""), ",") {
		t.Errorf("Accept: %q", lines)
	}
}

func standardWords(t *testing.T) {
	const denied = "access to the requested resource is not authorized"
	for _, tt := range []struct {
		match  testregistry.Match
		action testregistry.Action
		says   string
	}{
		{manifests, testregistry.Status(404), "manifest unknown"},
		{manifests, testregistry.Bare(404), "manifest unknown"},
		{blobs, testregistry.Bare(404), "blob unknown"},
		{manifests, testregistry.Bare(403), denied},
		{manifests, testregistry.Status(401), denied},
		{blobs, testregistry.Page(404), "blob unknown"},
	} {
		reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
		reg.Fail(tt.match, tt.action)
		if _, err := open(t, reg).Lookup(t.Context(), req); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q in it", tt.action, err, tt.says)
		}
	}
	// What the registry itself says is there in the words of docker/distribution.
	reg, req := quirky(t, testregistry.Config{}, provider.Credential{})
	reg.Remove(repo, req.Image.Digest())
	p := open(t, reg)
	_, err := p.Lookup(t.Context(), req)
	wantError(t, err, provider.ClassNotFound, "reading the manifest: manifest unknown (HTTP 404)")
	if _, err = p.Head(t.Context(), req); err == nil || !strings.Contains(err.Error(), "manifest unknown") {
		t.Errorf("by HEAD: %v", err)
	}
}
