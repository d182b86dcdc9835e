package statuspage

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Path is where the page is.
const Path = "/status"

//go:embed page.html
var pageText string

//go:embed page.css
var style string

// Config is what a page shows.
type Config struct {
	// Program is who serves the page, "hypershift-operator".
	Program string
	// Audience says on the page who may see it.
	Audience string
	// Resolver has the rules and the sources. Required.
	Resolver Resolver
	// Hosts returns what is known of registry hosts, and Recent has the last lookups. Both are
	// nil for a process that looks nothing up.
	Hosts  func() []health.Host
	Recent *Recent
	// TagsFollow says that lookups of this process use mirrors for digests for tags too.
	TagsFollow bool
	// AnyHost answers requests whatever host they name. Otherwise it has to be "localhost"
	// or a loopback address: then no web page that has its own name point here can read this one.
	// Set it where each request is authenticated by what a browser does not add by itself.
	AnyHost bool
}

// Handler returns a handler that serves the page at [Path], and leads there from "/". It answers
// GET and HEAD. It is safe for concurrent use, and holds no lock while it writes an answer.
func Handler(cfg Config) (http.Handler, error) {
	page, err := template.New("status").Funcs(template.FuncMap{
		"text": clean, "breakable": breakable, "plural": words.Plural,
		"firstSkipped": first[explanation.Skipped], "firstMirrors": first[Mirror], "firstScopes": first[Scope],
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !cfg.AnyHost && !namesLoopback(r.Host):
			http.Error(w, "this page is for requests to localhost", http.StatusMisdirectedRequest)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "this page can only be read", http.StatusMethodNotAllowed)
		case r.URL.Path == "/":
			http.Redirect(w, r, strings.TrimPrefix(Path, "/"), http.StatusFound)
		case r.URL.Path != Path:
			http.NotFound(w, r)
		default:
			var b bytes.Buffer
			if err := page.Execute(&b, viewOf(cfg, r.URL.Query().Get("ref"))); err != nil {
				http.Error(w, "the page could not be made", http.StatusInternalServerError)
				return
			}
			h.Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write(b.Bytes()) // whoever asked may be gone
		}
	}), nil
}

// namesLoopback reports whether the Host header of a request is "localhost" or a loopback
// address, with any port: kubectl port-forward has a port of its own.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return isLoopback(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// view is what the template shows. Its lists have no more than [maxRows] rows.
type view struct {
	Config
	Status
	Style       template.CSS
	Now, Since  string // Since is how long ago
	Failing     int    // sources that are not in force as they stand
	Sources     []viewSource
	AllWarnings []explanation.Warning // of the sources, then of the merged rules
	Rules       []viewRule
	MoreRules   int // that are not shown
	Looks       bool
	Hosts       []viewHost
	MoreHosts   int
	Lookups     []viewLookup
	Answer      *answer
}

type viewSource struct {
	Source
	Ago string
}

type viewRule struct {
	Rule
	Same bool // as the source of the row before
}

type viewHost struct {
	Name, State, Since, Error, FirstByte string
	Mirror                               bool // the rules name it
}

type viewLookup struct {
	Lookup
	Result, Error, From, Ago, Took string
	Mirror                         bool
}

func viewOf(cfg Config, typed string) view {
	now := time.Now()
	s := Read(cfg.Resolver)
	v := view{Config: cfg, Status: s, Style: template.CSS(style), Now: timeText(now), Since: ago(now, cfg.Resolver.Since()), Looks: cfg.Recent != nil}
	status := cfg.Resolver.Status()
	for i, x := range s.Sources {
		if x.State != InForce {
			v.Failing++
		}
		when := time.Time{}
		if i < len(status) {
			when = status[i].LastGood
		}
		v.Sources = append(v.Sources, viewSource{x, ago(now, when)})
		v.AllWarnings = append(v.AllWarnings, x.Warnings...)
	}
	v.AllWarnings = first(append(v.AllWarnings, s.Warnings...))
	v.MoreRules = len(s.Rules) - len(first(s.Rules))
	mirrors := map[string]bool{}
	for i, x := range s.Rules {
		for _, m := range x.Mirrors {
			host, _, _ := strings.Cut(m.Location, "/")
			mirrors[host] = true
		}
		if i < maxRows {
			v.Rules = append(v.Rules, viewRule{x, i > 0 && s.Rules[i-1].Source == x.Source && s.Rules[i-1].Kind == x.Kind})
		}
	}
	if cfg.Hosts != nil {
		hosts := cfg.Hosts()
		slices.SortFunc(hosts, func(a, b health.Host) int { // those that fail come first
			return cmp.Or(cmp.Compare(b.State, a.State), strings.Compare(a.Name, b.Name))
		})
		v.MoreHosts = len(hosts) - len(first(hosts))
		for _, h := range first(hosts) {
			x := viewHost{Name: h.Name, State: h.State.String(), Since: ago(now, h.Since), Error: errorText(h.Err), Mirror: mirrors[h.Name]}
			if h.TypicalFirstByte > 0 {
				x.FirstByte = words.Duration(h.TypicalFirstByte).String()
			}
			v.Hosts = append(v.Hosts, x)
		}
	}
	if cfg.Recent != nil {
		for _, l := range cfg.Recent.Lookups() {
			v.Lookups = append(v.Lookups, lookupView(now, l))
		}
	}
	if typed = strings.TrimSpace(typed); typed != "" {
		v.Answer = explain(cfg.Resolver.Current(), typed, cfg.TagsFollow)
	}
	return v
}

func lookupView(now time.Time, l Lookup) viewLookup {
	x := viewLookup{Lookup: l, Result: "answered", Error: errorText(l.Err), Ago: ago(now, l.At), Took: words.Duration(l.Took).String()}
	switch {
	case errors.Is(l.Err, provider.ErrNoRules):
		x.Result = "no-rules"
	case l.Err != nil:
		x.Result = provider.ClassOf(l.Err).String()
	case l.Stale:
		x.Result = "stale"
	}
	if !l.From.IsZero() {
		x.From, x.Mirror = l.From.String(), l.From != l.Image.Normalize()
	}
	return x
}
