package statuspage

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

// hostile is text that a page must show and nothing else.
const hostile = `<script>document.title="owned"</script><img src=x onerror="document.title='owned'">` +
	`" onfocus="document.title='owned'" autofocus x="` + `<a href="javascript:alert(1)">x</a></style></code></td>'` +
	"\u202e\u2066\u2028\x1b[31m\x00\xff"

type resolver struct {
	rules  *policy.Rules
	status []sources.SourceStatus
}

func (r resolver) Current() *policy.Rules         { return r.rules }
func (r resolver) Since() time.Time               { return time.Now().Add(-90 * time.Minute) }
func (r resolver) Status() []sources.SourceStatus { return r.status }

// site returns a page with everything on it, and say in every field that somebody else chooses.
func site(t *testing.T, say string) Config {
	t.Helper()
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{
			{Source: "quay.io/openshift-release-dev/ocp-release", Pull: policy.PullDigest, Origin: "imagedigestmirrorset/release#1" + say,
				Mirrors: []policy.Mirror{{Location: "mirror-with-a-long-name.datacenter-2.example.com:5000/disconnected/openshift/release"}, {Location: "b.example.com/ocp/release"}}},
			{Source: "quay.io/openshift-release-dev", Pull: policy.PullTag, Origin: "imagetagmirrorset/tags#1" + say, NeverContactSource: true,
				Mirrors: []policy.Mirror{{Location: "b.example.com/ocp"}}},
			{Kind: policy.KindRewrite, Source: "quay.io/rewritten", Mirrors: []policy.Mirror{{Location: "c.example.com/x"}}, Origin: "--registry-overrides" + say},
		},
		Insecure: []policy.Scope{{Name: "b.example.com", Origin: "image/cluster" + say}},
		Blocked:  []policy.Scope{{Name: "docker.io", Origin: "image/cluster" + say}},
		Warnings: []policy.Warning{{Code: "x", Message: "a warning " + say, Origins: []string{"an origin" + say}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	recent := new(Recent)
	image := imageref.MustParse("quay.io/openshift-release-dev/ocp-release@sha256:" + strings.Repeat("1", 64))
	release, err := provider.NewRelease(provider.ReleaseData{
		Image: image, Digest: image.Digest(), Version: "4.17.3",
		Components: []provider.Component{{Name: "etcd", Canonical: image, Image: image}},
		PulledFrom: imageref.MustParse("b.example.com/ocp/release@" + image.Digest()),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		recent.Observe(t.Context(), chain.Event{Kind: chain.LookupDone, Image: image, Release: release, Took: 1234567 * time.Nanosecond})
	}
	missing := imageref.MustParse("tenant.example.com/any/release:4.17.3")
	recent.Observe(t.Context(), chain.Event{Kind: chain.LookupDone, Image: missing, Took: 3 * time.Second, Err: &provider.Error{
		Op: "reading", Ref: missing, Class: provider.ClassTLS, Err: errors.New("the certificate is for another name" + say),
	}})
	return Config{
		Program: "hypershift-operator", Audience: "It is seen by those who may open a port of the pod (kubectl port-forward).",
		Resolver: resolver{rules, []sources.SourceStatus{
			{Name: "idms:", Loaded: true, LastGood: time.Now().Add(-time.Minute), Rules: 2},
			{
				Name: "file:" + say, Loaded: true, LastGood: time.Now().Add(-time.Hour), Err: errors.New("line 3 is no YAML" + say), WatchErr: errors.New("no watch" + say), Rules: 1,
				Skipped:  []policy.SkippedObject{{Kind: "CatalogSource" + say, Name: "cs" + say, Origin: "here" + say}},
				Warnings: []policy.Warning{{Code: "y", Message: "unknown kind " + say, Origins: []string{"there" + say}}},
			},
		}},
		Hosts: func() []health.Host {
			return []health.Host{
				{Name: "b.example.com", Since: time.Now().Add(-time.Hour), TypicalFirstByte: 23 * time.Millisecond},
				{Name: "tenant.example.com" + say, State: health.Unhealthy, Since: time.Now(), Failures: 3, Err: errors.New("connection refused" + say)},
			}
		},
		Recent: recent, TagsFollow: true,
	}
}

func get(t *testing.T, cfg Config, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Host = "localhost:8082"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// markup returns the tags and the names of attributes of a page, in order, without what it says and
// without <wbr>, which stands at each separator of a reference. html/template quotes every value
// that it fills in.
func markup(page string) []string {
	var out []string
	for _, tag := range regexp.MustCompile(`</?[a-zA-Z!][^>]*>`).FindAllString(strings.ReplaceAll(page, "<wbr>", ""), -1) {
		out = append(out, regexp.MustCompile(`="[^"]*"`).ReplaceAllString(tag, ""))
	}
	return out
}

// What tenants and registries choose is text wherever it stands: with it the page has the same
// tags and attributes as with a plain word.
func TestInjection(t *testing.T) {
	for _, ref := range []string{"quay.io/openshift-release-dev/ocp-release:4.17.3", "docker.io/library/x:1", ""} {
		at := func(typed string) string { return Path + "?ref=" + url.QueryEscape(typed) }
		plain, evil := get(t, site(t, "x"), at(ref)).Body.String(), get(t, site(t, hostile), at(ref)).Body.String()
		if a, b := markup(plain), markup(evil); !slices.Equal(a, b) {
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("%s: the tag %d is %s, without injection %s", ref, i, b[i], a[i])
				}
			}
			t.Fatalf("%s: %d tags, without injection %d", ref, len(b), len(a))
		}
		for _, no := range []string{"<script", "<img", "\u202e", "\u2066", "\u2028", "\x1b", "\x00", "\xff"} {
			if strings.Contains(evil, no) {
				t.Errorf("%s: the page has %q", ref, no)
			}
		}
		if !strings.Contains(evil, `&lt;script&gt;`) || !strings.Contains(evil, `\u202e`) {
			t.Error("what somebody chose is not shown")
		}
	}
	// What the visitor typed, or was made to type by a link.
	for _, typed := range []string{hostile, `"><script>`, "javascript:alert(1)", strings.Repeat("a", 5000), "a\r\nSet-Cookie: x"} {
		w := get(t, site(t, "x"), Path+"?ref="+url.QueryEscape(typed))
		a, b := markup(get(t, site(t, "x"), Path+"?ref=%3A").Body.String()), markup(w.Body.String())
		if len(typed) < maxRef && typed != "javascript:alert(1)" && !slices.Equal(a, b) { // those two have another answer
			t.Errorf("%.30q changes the tags", typed)
		}
		if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), `href="javascript`) || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%.30q is not only shown", typed)
		}
	}
	// The check sees an injection.
	if slices.Equal(markup(`<p title="a">x</p>`), markup(`<p title="a" onfocus="b">x</p>`)) {
		t.Error("an attribute is not seen")
	}
}

// Whoever chooses a text or how many there are does not choose the size of the page.
func TestBounded(t *testing.T) {
	long := site(t, strings.Repeat("<long & ", 100_000))
	if n := get(t, long, Path+"?ref=quay.io/x/y:1").Body.Len(); n > 200_000 {
		t.Errorf("a page of %d bytes", n)
	}
	var p policy.Policy
	for i := range 3000 {
		p.Rules = append(p.Rules, policy.Rule{Source: fmt.Sprintf("quay.io/a/r%d", i), Pull: policy.PullDigest, Origin: "x", Mirrors: []policy.Mirror{{Location: "m.example.com/a"}}})
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	page := get(t, Config{Resolver: resolver{rules: rules}}, Path).Body.String()
	if strings.Count(page, "<tr>") > maxRows+10 || !strings.Contains(page, "2500 more rules not shown") {
		t.Errorf("%d rows", strings.Count(page, "<tr>"))
	}
}

func TestRequests(t *testing.T) {
	cfg := site(t, "x")
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for _, c := range []struct {
		target string
		change func(*http.Request)
		want   int
	}{
		{Path, host("localhost:1"), 200},
		{Path, host("127.0.0.1:8082"), 200},
		{Path, host("[::1]:8082"), 200},
		{Path, host("LOCALHOST"), 200},
		{Path, host("attacker.example.com:8082"), 421},
		{Path, host("localhost.attacker.example.com"), 421},
		{Path, host("127.0.0.1.nip.io:8082"), 421},
		{Path, host("10.0.0.1:8082"), 421},
		{Path, host(""), 421},
		{Path, method(http.MethodHead), 200},
		{Path, method(http.MethodPost), 405},
		{Path, method(http.MethodDelete), 405},
		{"/", method(http.MethodGet), 302},
		{"/metrics", method(http.MethodGet), 404},
	} {
		w := get(t, cfg, c.target, c.change)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.target, w.Code, c.want)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.target, name, got, want)
			}
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'sha256-") || !strings.HasSuffix(got, "frame-ancestors 'none'") || strings.Contains(got, "unsafe") {
			t.Errorf("policy %q", got)
		}
	}
	cfg.AnyHost = true
	if w := get(t, cfg, Path, host("mirrorchain.example.com")); w.Code != 200 {
		t.Errorf("any host: %d", w.Code)
	}
}

func TestAnswers(t *testing.T) {
	for ref, want := range map[string][]string{
		"quay.io/openshift-release-dev/ocp-release@sha256:" + strings.Repeat("1", 64): {"The policy source quay.io/openshift-release-dev/ocp-release applies", "imagedigestmirrorset/release#1x", "mirror-with", "shorter: 29 characters, the winner has 41"},
		"quay.io/openshift-release-dev/ocp-release:4.17.3":                            {"Mirrors for digests only do not serve a pull by tag on a node. This process uses them"},
		"registry.example.com/x:1":                                                    {"No policy source matches"},
		"docker.io/library/x:1":                                                       {"Nothing is tried", "blocked by docker.io"},
		"not a reference":                                                             {`class="bad"`},
		strings.Repeat("a", 1025):                                                     {"longer than 1024 bytes"},
	} {
		page := get(t, site(t, "x"), Path+"?ref="+url.QueryEscape(ref)).Body.String()
		_, page, _ = strings.Cut(page, `id="answer"`)
		page, _, _ = strings.Cut(page, "</section>")
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%.40s: the answer lacks %q:\n%s", ref, w, page)
			}
		}
	}
	none := get(t, Config{Resolver: resolver{}}, Path+"?ref=quay.io/x/y:1").Body.String()
	if !strings.Contains(none, "No mirror rules are in force yet") || !strings.Contains(none, "No rules are in force yet") {
		t.Error("a page without rules does not say so")
	}
}

// The last lookups are bounded, lookups with the same result are one, and cost no memory.
func TestRecent(t *testing.T) {
	r := new(Recent)
	done := func(i int, err error) {
		r.Observe(t.Context(), chain.Event{Kind: chain.LookupDone, Image: imageref.MustParse(fmt.Sprintf("quay.io/a/r%d:1", i)), Err: err})
	}
	for i := range 200 {
		done(i, nil)
	}
	done(199, provider.ErrNoRules)
	all := r.Lookups()
	if len(all) != maxRecent || all[0].Err == nil || all[1].Image.String() != "quay.io/a/r199:1" {
		t.Errorf("%d lookups, the last %+v", len(all), all[0])
	}
	e := chain.Event{Kind: chain.LookupDone, Image: imageref.MustParse("quay.io/a/r199:1")}
	if n := testing.AllocsPerRun(100, func() { r.Observe(t.Context(), e) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if all = r.Lookups(); all[0].Times != 102 {
		t.Errorf("counted %d times", all[0].Times)
	}
}
