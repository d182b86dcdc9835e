package peers

import (
	"errors"
	"fmt"
	"strings"

	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	configv1 "github.com/openshift/api/config/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// policies converts s, every object a policy of its own.
func policies(s *policySet) []provider.Policy {
	var out []provider.Policy
	for _, o := range s.icsp {
		var p provider.Policy
		for i, e := range o.Spec.RepositoryDigestMirrors {
			p.Rules = append(p.Rules, rule(provider.PullDigest, o.Name, i, e.Source, e.Mirrors, ""))
		}
		out = append(out, p)
	}
	for _, o := range s.idms {
		var p provider.Policy
		for i, e := range o.Spec.ImageDigestMirrors {
			p.Rules = append(p.Rules, rule(provider.PullDigest, o.Name, i, e.Source, texts(e.Mirrors), e.MirrorSourcePolicy))
		}
		out = append(out, p)
	}
	for _, o := range s.itms {
		var p provider.Policy
		for i, e := range o.Spec.ImageTagMirrors {
			p.Rules = append(p.Rules, rule(provider.PullTag, o.Name, i, e.Source, texts(e.Mirrors), e.MirrorSourcePolicy))
		}
		out = append(out, p)
	}
	for i, e := range s.any {
		out = append(out, provider.Policy{Rules: []provider.Rule{rule(provider.PullAny, "env", i, e.source, e.mirrors, "")}})
	}
	return append(out, provider.Policy{Insecure: scopes(s.insecure), Blocked: scopes(s.blocked)})
}

func texts(list []configv1.ImageMirror) (out []string) {
	for _, m := range list {
		out = append(out, string(m))
	}
	return out
}

func rule(by provider.PullBy, object string, i int, source string, mirrors []string, p configv1.MirrorSourcePolicy) provider.Rule {
	r := provider.Rule{
		Source: source, Pull: by, NeverContactSource: p == configv1.NeverContactSource, Origin: fmt.Sprintf("%s#%d", object, i),
	}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, provider.Mirror{Location: m})
	}
	return r
}

func scopes(names []string) (out []provider.Scope) {
	for _, n := range names {
		out = append(out, provider.Scope{Name: n, Origin: "image/cluster"})
	}
	return out
}

// basePolicy converts registries.conf and its drop-ins: a stand-in for a reader
// of those files, which refuses per file and replaces per prefix.
func basePolicy(s *policySet) (provider.Policy, error) {
	tables := map[string][]provider.Rule{}
	var order []string
	for _, file := range append([][]sr536.Registry{s.base}, s.dropIns...) {
		mine := map[string]bool{}
		for i, t := range file {
			rules, err := table(t, fmt.Sprint("table", i))
			if err != nil {
				return provider.Policy{}, err
			}
			// What else a table is refused for shows as it is read alone.
			if _, err := provider.NewRules(provider.RulesConfig{}, provider.Policy{Rules: rules}); err != nil {
				return provider.Policy{}, err
			}
			prefix := strings.TrimRight(rules[0].Source, "/")
			if mine[prefix] {
				continue
			}
			mine[prefix] = true
			if tables[prefix] == nil {
				order = append(order, prefix)
			}
			tables[prefix] = rules
		}
		if err := agree(file); err != nil {
			return provider.Policy{}, err
		}
	}
	var p provider.Policy
	for _, prefix := range order {
		p.Rules = append(p.Rules, tables[prefix]...)
	}
	return p, nil
}

func agree(file []sr536.Registry) error {
	at := map[string]sr536.Registry{}
	for _, r := range file {
		key := strings.TrimRight(r.Location, "/")
		if key == "" {
			key = strings.TrimRight(r.Prefix, "/")
		}
		if f, ok := at[key]; ok && (f.Insecure != r.Insecure || f.Blocked != r.Blocked) {
			return errors.New("conflict")
		}
		at[key] = r
	}
	return nil
}

func table(t sr536.Registry, origin string) ([]provider.Rule, error) {
	if t.Prefix == "" {
		t.Prefix = t.Location
	} else if strings.TrimRight(t.Location, "/") == "" && !strings.HasPrefix(t.Prefix, "*.") {
		return nil, errors.New("no location")
	}
	base := provider.Rule{
		Source: t.Prefix, Location: t.Location, Pull: provider.PullAny, Literal: true, Insecure: t.Insecure,
		NeverContactSource: t.Blocked, DigestOnly: t.MirrorByDigestOnly, Origin: origin,
	}
	var out []provider.Rule
	for _, m := range t.Mirrors {
		by := provider.PullAny
		switch {
		case m.PullFromMirror == "digest-only" || t.MirrorByDigestOnly && m.PullFromMirror == "":
			by = provider.PullDigest
		case m.PullFromMirror == "tag-only":
			by = provider.PullTag
		case m.PullFromMirror != "" && m.PullFromMirror != "all":
			return nil, errors.New("unknown pull-from-mirror")
		}
		if len(out) == 0 || out[len(out)-1].Pull != by {
			next := base
			next.Pull = by
			out = append(out, next)
		}
		last := &out[len(out)-1]
		last.Mirrors = append(last.Mirrors, provider.Mirror{Location: m.Location, Insecure: m.Insecure})
	}
	if len(out) == 0 {
		out = append(out, base)
	}
	return out, nil
}

// newRules is our reading of s.
func newRules(s *policySet) (*provider.Rules, error) {
	base, err := basePolicy(s)
	if err != nil {
		return nil, err
	}
	return provider.NewRules(provider.RulesConfig{TagsFollowDigestRules: s.tagsFollow}, append([]provider.Policy{base}, policies(s)...)...)
}

// ask asks Resolve and Candidates, which must agree.
func ask(r *provider.Rules, image string) (answer, error) {
	ref, err := imageref.Parse(image)
	if err != nil {
		return answer{}, err
	}
	res, err := r.Resolve(ref)
	fast, fastErr := r.Candidates(ref)
	if err != nil {
		if _, ok := errors.AsType[*provider.RewriteError](err); !ok {
			return answer{}, err
		}
		if fastErr == nil || fastErr.Error() != err.Error() {
			return answer{}, fmt.Errorf("Resolve: %w, Candidates: %v", err, fastErr)
		}
		return answer{failed: true, source: res.Source}, nil
	}
	a := answer{source: res.Source}
	for _, c := range res.Candidates {
		a.candidates = append(a.candidates, show(c.Ref.String(), c.Mirror, c.Insecure))
	}
	for _, f := range res.Refused {
		a.refused = append(a.refused, show(f.Ref.String(), f.Mirror, false))
	}
	var same []string
	for _, c := range fast {
		same = append(same, show(c.Ref.String(), c.Mirror, c.Insecure))
	}
	if fastErr != nil || strings.Join(same, ",") != strings.Join(a.candidates, ",") {
		return answer{}, fmt.Errorf("Candidates: %q, %v; Resolve: %q", same, fastErr, a.candidates)
	}
	return a, nil
}
