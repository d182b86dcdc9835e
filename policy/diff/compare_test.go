package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// show writes endpoints on one line: mirrors, and the source in parentheses.
func show(e diff.Endpoints) string {
	list := func(all []diff.Endpoint) string {
		var out []string
		for _, p := range all {
			s := p.Location
			if !p.Mirror {
				s = "(" + s + ")"
			}
			if p.Insecure {
				s += "!"
			}
			out = append(out, s)
		}
		return strings.Join(out, " ")
	}
	s := list(e.Before) + " -> " + list(e.After)
	if e.Loss != "" {
		s += " " + string(e.Loss)
	}
	return s
}

func TestSources(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, new policy.Policy
		want     string // source, change, digests; tags
	}{
		{"nothing", rules(idms("quay.io/a", "m.io/a")), rules(idms("quay.io/a", "m.io/a"), idms("quay.io/b")), ""},
		{"added", policy.Policy{}, rules(idms("quay.io/a", "m.io/a")), "quay.io/a added: (quay.io) -> m.io/a (quay.io); (quay.io) -> (quay.io)\n"},
		{"removed", rules(idms("quay.io/a", "m.io/a")), policy.Policy{}, "quay.io/a removed: m.io/a (quay.io) -> (quay.io) last-mirror; (quay.io) -> (quay.io)\n"},
		{"Never leaves nothing for tags", rules(idms("quay.io/a", "m.io/a")), rules(never(idms("quay.io/a", "m.io/a"))), "quay.io/a changed: m.io/a (quay.io) -> m.io/a; (quay.io) ->  last-endpoint\n"},
		{"reordered", rules(idms("quay.io", "m.io", "n.io")), rules(idms("quay.io", "n.io", "m.io")), "quay.io changed: m.io n.io (quay.io) -> n.io m.io (quay.io); (quay.io) -> (quay.io)\n"},
		{"cut in another way", rules(idms("quay.io", "m.io/q")), rules(idms("quay.io", "m.io/q"), idms("quay.io/a", "m.io/q/a")), "quay.io/a added: m.io/q (quay.io) -> m.io/q (quay.io); (quay.io) -> (quay.io)\n"},
		{"a wildcard", policy.Policy{}, rules(idms("*.redhat.io", "m.io/r")), "*.redhat.io added: (any.redhat.io) -> m.io/r (any.redhat.io); (any.redhat.io) -> (any.redhat.io)\n"},
		{"insecure", rules(idms("quay.io/a", "m.io/a")), policy.Policy{Rules: rules(idms("quay.io/a", "m.io/a")).Rules, Insecure: image("m.io")},
			"m.io added: (m.io) -> (m.io)!; (m.io) -> (m.io)!\nquay.io/a changed: m.io/a (quay.io) -> m.io/a! (quay.io); (quay.io) -> (quay.io)\n"},
		{"blocked", policy.Policy{}, policy.Policy{Blocked: image("quay.io")}, "quay.io added: (quay.io) ->  last-endpoint; (quay.io) ->  last-endpoint\n"},
		{"a mirror that makes no reference", policy.Policy{}, rules(idms("*.redhat.io", "nodot")), "*.redhat.io added: (any.redhat.io) ->  last-endpoint; (any.redhat.io) -> (any.redhat.io)\n"},
		{"a rewrite", policy.Policy{}, rules(policy.Rule{Kind: policy.KindRewrite, Source: "quay.io", Mirrors: []policy.Mirror{{Location: "m.io/q"}}, Pull: policy.PullAny}),
			"quay.io (rewrite) added: (quay.io) -> (m.io/q/image); (quay.io) -> (m.io/q/image)\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := diff.Compare(side(t, tc.old), side(t, tc.new))
			var got strings.Builder
			for _, s := range r.Sources {
				fmt.Fprintf(&got, "%s %s: %s; %s\n", s.Source, s.Change, show(s.Digests), show(s.Tags))
			}
			if got.String() != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), tc.want)
			}
			if r.Same != (tc.want == "") {
				t.Errorf("same: %v", r.Same)
			}
			if data, err := json.Marshal(r); err != nil || strings.Contains(string(data), "null") {
				t.Errorf("%s, %v", data, err)
			}
		})
	}
}

// Images for which the same changes are one group; what is lost comes first.
func TestGroups(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	var images []diff.Image
	for _, name := range []string{"quay.io/same/x", "quay.io/a/x", "quay.io/a/y", "quay.io/b/x", "quay.io/c/x"} {
		images = append(images, diff.Image{Name: name[8:], Ref: imageref.MustParse(name + digest)})
	}
	images = append(images, diff.Image{Ref: imageref.MustParse("quay.io/c/x:v1")})
	old := rules(idms("quay.io/same", "m.io/same"), idms("quay.io/a", "m.io/a"), idms("quay.io/b", "m.io/b"))
	updated := policy.Policy{Rules: rules(idms("quay.io/same", "m.io/same"), idms("quay.io/a", "n.io/a", "m.io/a")).Rules, Blocked: image("quay.io/c")}
	r := diff.Compare(side(t, old), side(t, updated), images...)
	var got []string
	for _, g := range r.Groups {
		got = append(got, fmt.Sprintf("%s %s: %s", strings.Join(g.Images, " "), g.Change, show(g.Endpoints)))
	}
	want := []string{
		"c/x quay.io/c/x:v1 changed: (quay.io) ->  last-endpoint",
		"b/x changed: m.io/b (quay.io) -> (quay.io) last-mirror",
		"a/x a/y changed: m.io/a (quay.io) -> n.io/a m.io/a (quay.io)",
		"same/x unchanged: m.io/same (quay.io) -> m.io/same (quay.io)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !r.Loses(diff.LosesAllEndpoint) || !r.Loses(diff.LosesLastMirror) {
		t.Error("nothing is lost")
	}
}
