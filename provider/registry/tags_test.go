package registry_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// tagsOf lists the tags that a registry which answers with serve has.
func tagsOf(t *testing.T, serve http.HandlerFunc) ([]string, error) {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	p, err := registry.New(registry.Config{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	ref := imageref.MustParse(strings.TrimPrefix(server.URL, "http://") + "/team/app")
	return p.Tags(t.Context(), provider.Request{Image: ref, Insecure: true})
}

// Pages are followed by their query alone, wherever the link leads.
func TestTagsInPages(t *testing.T) {
	var asked []string
	got, err := tagsOf(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		switch r.URL.Query().Get("last") {
		case "":
			w.Header().Set("Link", `</v2/team/app/tags/list?last=b&n=2>; rel="next"`)
			fmt.Fprint(w, `{"name":"team/app","tags":["a","b"]}`)
		case "b":
			w.Header().Set("Link", `<https://elsewhere.example.com/other?n=2&last=d&secret=x>; rel=next`)
			fmt.Fprint(w, `{"name":"team/app","tags":["c","d"]}`)
		default:
			fmt.Fprint(w, `{"name":"team/app","tags":["e"]}`)
		}
	})
	if err != nil || !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("%q, %v", got, err)
	}
	if want := []string{"/v2/team/app/tags/list?n=1000", "/v2/team/app/tags/list?last=b&n=2", "/v2/team/app/tags/list?last=d&n=2"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

// A registry may have a parameter of its own for the next page, and links to other pages.
func TestNextPage(t *testing.T) {
	for header, want := range map[string]string{
		`</v2/team/app/tags/list?next_page=gAAA%3D%3D&n=50>; rel="next"`:                              "n=50&next_page=gAAA%3D%3D",
		`<http://backend:8080/artifactory/api/docker/local/v2/app/tags/list?last=a%2Bb&n=1>;rel=next`: "last=a%2Bb&n=1",
		`<?last=a>; rel="first", <?last=b>; rel="next"`:                                               "last=b",
		`<?last=b>; rel="next", <?last=z>; rel="last"`:                                                "last=b",
		`<tags/list?last=a,b>; title="next, <x>"; REL = "last Next"`:                                  "last=a%2Cb",
		`<https://elsewhere.example.com/other?n=2&last=d&secret=x>; rel=next`:                         "last=d&n=2",
		`<?last=a>; rel="nextish", <?last=b>; title="rel=next"`:                                       "",
		`<?last=a; rel="next"`: "",
		`<%zz>; rel="next"`:    "",
		`,,<`:                  "",
	} {
		n := 0
		var asked string
		got, err := tagsOf(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				w.Header().Set("Link", header)
				fmt.Fprint(w, `{"tags":["a"]}`)
				return
			}
			asked = r.URL.RawQuery
			fmt.Fprint(w, `{"tags":["b"]}`)
		})
		wantTags := []string{"a", "b"}
		if want == "" {
			wantTags = wantTags[:1]
		}
		if err != nil || !slices.Equal(got, wantTags) || asked != want {
			t.Errorf("%s: %q, %v; asked for %q, want %q", header, got, err, asked, want)
		}
	}
}

// Google's registries say more of each manifest than of the tags, and proxies compress.
func TestTagsAmongOthers(t *testing.T) {
	const manifest = `"sha256:%064x":{"imageSizeBytes":"1","layerId":"","mediaType":"x","tag":["t"],"timeCreatedMs":"1","timeUploadedMs":"1"},`
	var b strings.Builder
	b.WriteString(`{"child":[],"manifest":{`)
	for i := range 30_000 {
		fmt.Fprintf(&b, manifest, i)
	}
	b.WriteString(`"":{}},"name":"team/app","tags":["a"]}`)
	for _, encoding := range []string{"", "gzip"} {
		got, err := tagsOf(t, func(w http.ResponseWriter, r *http.Request) {
			if encoding == "" {
				_, _ = io.WriteString(w, b.String())
				return
			}
			w.Header().Set("Content-Encoding", encoding)
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, b.String())
			_ = z.Close()
		})
		if err != nil || !slices.Equal(got, []string{"a"}) {
			t.Errorf("%q: %q, %v", encoding, got, err)
		}
	}
}

func TestNoTags(t *testing.T) {
	if got, err := tagsOf(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"team/app","tags":null}`) }); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// A registry cannot keep its caller for ever, nor fill its memory.
func TestHostileTags(t *testing.T) {
	page := `{"tags":["` + strings.Repeat(`x","`, 1000) + `x"]}`
	n := 0
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"the same page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<?last=a>; rel="next"`)
			fmt.Fprint(w, `{"tags":["a"]}`)
		}, provider.ErrMalformed},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Link", fmt.Sprintf(`<?last=%d>; rel="next"`, n))
			fmt.Fprint(w, page)
		}, provider.ErrLimit},
		"endless pages": {func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Link", fmt.Sprintf(`<?last=%d>; rel="next"`, n))
			fmt.Fprint(w, `{"tags":[]}`)
		}, provider.ErrLimit},
		"large": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"tags":["`+strings.Repeat("x", 5<<20)+`"]}`)
		}, provider.ErrLimit},
		"many": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"tags":[`+strings.Repeat(`"",`, 200_000)+`""]}`)
		}, provider.ErrLimit},
		"endless page": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"tags":[],"x":"`+strings.Repeat("x", 33<<20)+`"}`)
		}, provider.ErrLimit},
		"no JSON":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `tags`) }, provider.ErrMalformed},
		"no list":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"tags":{"a":"b"}}`) }, provider.ErrMalformed},
		"web page":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) }, provider.ErrUnreachable},
		"not found": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, provider.ErrNotFound},
	} {
		got, err := tagsOf(t, c.serve)
		if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %d tags, %v", name, len(got), err)
		}
		if name == "not found" && !strings.Contains(err.Error(), "name unknown") {
			t.Errorf("%v", err)
		}
	}
}
