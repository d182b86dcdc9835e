package handover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/policy"
)

// encode writes doc as compact JSON. It fails for a name that is not UTF-8, which JSON
// cannot hold.
func encode(doc document) ([]byte, error) {
	if err := doc.check(); err != nil {
		return nil, fmt.Errorf("handing overrides on: %w", err)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("handing overrides on: %w", err)
	}
	// A "$" is only ever inside a string, and Kubernetes must not take "$(NAME)" in
	// the value of a variable for a reference to another one.
	return bytes.ReplaceAll(bytes.TrimSuffix(b.Bytes(), []byte("\n")), []byte("$"), []byte(`\u0024`)), nil
}

// documentOf makes a document of a policy of Rules.Policy.
func documentOf(p policy.Policy) document {
	doc := document{Kind: Kind, Version: version, Insecure: scopesOf(p.Insecure), Blocked: scopesOf(p.Blocked)}
	for i, r := range p.Rules {
		if r.Kind == policy.KindRewrite {
			doc.Rewrites = append(doc.Rewrites, rewrite{Source: r.Source, Target: r.Mirrors[0].Location, Origin: r.Origin})
			continue
		}
		if i == 0 || p.Rules[i-1].Source != r.Source {
			doc.Registries = append(doc.Registries, registryOf(r))
		}
		table := &doc.Registries[len(doc.Registries)-1]
		for j, m := range r.Mirrors {
			w := mirror{Location: m.Location, Insecure: m.Insecure, Pull: pullOf(r.Pull), ByTenant: m.ByTenant}
			if r.Provenance.Mirrors != nil && !slices.Equal(r.Provenance.Mirrors[j], table.Origins) {
				w.Origins = append([]string{}, r.Provenance.Mirrors[j]...)
			}
			table.Mirrors = append(table.Mirrors, w)
		}
	}
	return doc
}

func registryOf(r policy.Rule) registry {
	t := registry{
		Prefix: r.Source, Location: r.Location, Insecure: r.Insecure, Blocked: r.NeverContactSource, DigestOnly: r.DigestOnly,
		DropIn: r.DropIn, Origins: r.Provenance.Origins, ScopeOnly: r.Provenance.ScopeOnly,
		Inherited: r.Provenance.Inherited,
		BlockedBy: scope{r.Provenance.BlockedBy.Name, r.Provenance.BlockedBy.Origin},
	}
	if len(t.Origins) == 0 && r.Origin != "" {
		t.Origins = []string{r.Origin}
	}
	return t
}

func pullOf(p policy.PullBy) string {
	switch p {
	case policy.PullDigest:
		return pullDigest
	case policy.PullTag:
		return pullTag
	}
	return "" // all
}

func scopesOf(scopes []policy.Scope) (out []scope) {
	for _, s := range scopes {
		out = append(out, scope{s.Name, s.Origin})
	}
	return out
}

func (d *document) forgetOrigins() {
	for i := range d.Registries {
		t := &d.Registries[i]
		t.Origins, t.BlockedBy.Origin = nil, ""
		for j := range t.Mirrors {
			t.Mirrors[j].Origins = nil
		}
	}
	for i := range d.Rewrites {
		d.Rewrites[i].Origin = ""
	}
	for _, scopes := range [][]scope{d.Insecure, d.Blocked} {
		for i := range scopes {
			scopes[i].Origin = ""
		}
	}
}

// check refuses names that JSON would change, and mends origins, which only people
// read.
func (d *document) check() error {
	var wrong error
	name := func(what, s string) {
		if !utf8.ValidString(s) && wrong == nil {
			wrong = fmt.Errorf("%s %q is not UTF-8 and cannot be handed on", what, s)
		}
	}
	mend := func(s *string) { *s = strings.ToValidUTF8(*s, "\ufffd") }
	for i := range d.Registries {
		t := &d.Registries[i]
		name("source", t.Prefix)
		name("location", t.Location)
		name("scope", t.BlockedBy.Scope)
		name("source", t.Inherited)
		mend(&t.BlockedBy.Origin)
		for j := range t.Origins {
			mend(&t.Origins[j])
		}
		for j := range t.Mirrors {
			name("mirror", t.Mirrors[j].Location)
			for k := range t.Mirrors[j].Origins {
				mend(&t.Mirrors[j].Origins[k])
			}
		}
	}
	for i := range d.Rewrites {
		name("source", d.Rewrites[i].Source)
		name("target", d.Rewrites[i].Target)
		mend(&d.Rewrites[i].Origin)
	}
	for _, scopes := range [][]scope{d.Insecure, d.Blocked} {
		for i := range scopes {
			name("scope", scopes[i].Scope)
			mend(&scopes[i].Origin)
		}
	}
	return wrong
}
