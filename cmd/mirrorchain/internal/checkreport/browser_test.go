package checkreport

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// hostile is text that a page must show and nothing else: it would run, load, frame and
// redirect.
const hostile = `<script>document.title="owned"</script><img src=http://leak.example.com/img onerror="document.title='owned'">` +
	`<link rel=stylesheet href=http://leak.example.com/css><iframe src=http://leak.example.com/frame></iframe>` +
	`<meta http-equiv=refresh content="0;url=http://leak.example.com/refresh"></pre></code></td>'"` + "\u202e"

// sample returns a report of 190 images on two mirrors that lack different ones.
func sample(t *testing.T) *Report {
	t.Helper()
	var results []Result
	for i := range 190 {
		r := result(fmt.Sprintf("component-%03d", i), i)
		r.Names = append(r.Names, fmt.Sprintf("another-name-of-component-%03d", i))
		for j, host := range []string{"mirror-a.example.com:5000/ocp", "mirror-with-a-long-name.datacenter-2.example.com/disconnected/openshift"} {
			e := check.Endpoint{Ref: imageref.MustParse(host + "@" + r.Image.Digest()), Mirror: true, Asked: true}
			if i%31 == j || i == 7 {
				e.Err = attempt(host, i, provider.ClassNotFound, "manifest unknown").Err
			}
			r.At = append(r.At, e)
			r.Found.From = e.Ref
		}
		r.At = append(r.At, check.Endpoint{Ref: r.Image})
		if i == 7 {
			r.Err = attempt("mirror-a.example.com:5000/ocp", i, provider.ClassNotFound, "manifest unknown "+hostile).Err
			r.Names[0] = hostile
		}
		results = append(results, r)
	}
	report := New(Config{AllMirrors: true, Releases: []Release{{
		Image: "quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64", Version: "4.17.3 " + hostile, Digest: results[0].Image.Digest(), Platforms: []string{"linux/amd64"},
	}}}, results)
	report.Notices = notices.Notices{Warnings: []explanation.Warning{{Message: hostile}}}
	return report
}

// What a release, a registry or a policy says is text on the page.
func TestHTMLEscapes(t *testing.T) {
	page, err := sample(t).Format(output.HTML)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, no := range []string{"<script", "<img", "<link", "<iframe", "refresh content", "</pre></code>", "\u202e", " src=", " href="} {
		if rest := strings.ReplaceAll(text, "&lt;", ""); strings.Contains(no, "<") && strings.Contains(text, no) || !strings.Contains(no, "<") && no == "\u202e" && strings.Contains(rest, no) {
			t.Errorf("the page has %q", no)
		}
	}
	if !strings.Contains(text, `content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`) {
		t.Error("no policy")
	}
}

// A real browser shows the page, asks nobody for anything, and runs nothing of it. The
// screenshots are kept where MIRRORCHAIN_TEST_SCREENSHOTS says.
func TestBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium")
	}
	page, err := sample(t).Format(output.HTML)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.Host, ".example.com") { // the rest is the browser's own
			asked = append(asked, r.Host+r.URL.Path)
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "check.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(url string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, browser, append([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
			"--user-data-dir=" + filepath.Join(dir, "profile"), "--host-resolver-rules=MAP * " + server.Listener.Addr().String(),
		}, append(args, url)...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return string(out)
	}
	dom := run("file://"+file, "--dump-dom")
	for _, want := range []string{"<title>Release 4.17.3 &lt;script&gt;", "189 of 190 images are available", `id="matrix"`, "component-031", "mirror-a.example.com:"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	for _, no := range []string{"<script", "<img", "<iframe", "<link", "<title>owned"} {
		if strings.Contains(dom, no) {
			t.Errorf("the page has %s", no)
		}
	}
	shots := os.Getenv("MIRRORCHAIN_TEST_SCREENSHOTS")
	if shots == "" {
		shots = dir
	}
	for _, size := range []string{"400,1600", "1280,1600"} {
		width, _, _ := strings.Cut(size, ",")
		shot := filepath.Join(shots, "check-"+width+".png")
		run("file://"+file, "--window-size="+size, "--screenshot="+shot)
		if info, err := os.Stat(shot); err != nil || info.Size() < 10_000 {
			t.Errorf("the screenshot at %s: %v", size, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) > 0 {
		t.Errorf("requests left the page: %q", asked)
	}
	mu.Unlock()
	// The test would see one: a page without the policy and the escapes.
	bad := filepath.Join(dir, "bad.html")
	if err := os.WriteFile(bad, []byte("<!DOCTYPE html><title>x</title><p>"+hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	run("file://"+bad, "--dump-dom")
	mu.Lock()
	if len(asked) == 0 {
		t.Error("no request is seen of a page that makes some")
	}
}
