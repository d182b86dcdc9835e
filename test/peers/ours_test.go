package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// writeObjects writes the API objects of s into dir as an admin has them, beside
// registries.conf.
func writeObjects(t *testing.T, dir string, s *policySet) {
	t.Helper()
	var docs []any
	for _, o := range s.icsp {
		o.APIVersion, o.Kind = "operator.openshift.io/v1alpha1", "ImageContentSourcePolicy"
		docs = append(docs, o)
	}
	for _, o := range s.idms {
		o.APIVersion, o.Kind = "config.openshift.io/v1", "ImageDigestMirrorSet"
		docs = append(docs, o)
	}
	for _, o := range s.itms {
		o.APIVersion, o.Kind = "config.openshift.io/v1", "ImageTagMirrorSet"
		docs = append(docs, o)
	}
	if len(s.insecure)+len(s.blocked) > 0 {
		o := &configv1.Image{}
		o.APIVersion, o.Kind, o.Name = "config.openshift.io/v1", "Image", "cluster"
		o.Spec.RegistrySources = configv1.RegistrySources{InsecureRegistries: s.insecure, BlockedRegistries: s.blocked}
		docs = append(docs, o)
	}
	var b strings.Builder
	for _, d := range docs {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n%s\n", text)
	}
	if err := os.WriteFile(filepath.Join(dir, "objects.yaml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read returns what our sources make of dir, and of the entries that have no file.
func read(t *testing.T, dir string, s *policySet) ([]policy.Policy, error) {
	t.Helper()
	src, err := file.Open(dir, file.Config{})
	if err != nil {
		return nil, err
	}
	p, err := src.Load(t.Context())
	if err != nil {
		return nil, err
	}
	out := []policy.Policy{p}
	for i, e := range s.any {
		r := policy.Rule{Source: e.source, Pull: policy.PullAny, Origin: fmt.Sprintf("env#%d", i)}
		for _, m := range e.mirrors {
			r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
		}
		out = append(out, policy.Policy{Rules: []policy.Rule{r}})
	}
	return out, nil
}

// newRules merges policies as s wants it, and wants every refusal to name an
// entry.
func newRules(s *policySet, policies []policy.Policy) (*policy.Rules, error) {
	r, err := policy.NewRules(policy.RulesConfig{TagsFollowDigestRules: s.tagsFollow}, policies...)
	if err != nil {
		if e, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || e.Origin == "" {
			panic(fmt.Sprintf("an error that names no entry: %v", err))
		}
	}
	return r, err
}

// handedOn returns r as another process has it that was handed the document of r.
func handedOn(t *testing.T, r *policy.Rules) *policy.Rules {
	t.Helper()
	data, err := handover.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := handover.Decode("", data)
	if err != nil {
		t.Fatal(err)
	}
	second, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatalf("rules that were handed on are refused: %v", err)
	}
	return second
}

// ask asks Resolve and Candidates, which must agree.
func ask(r *policy.Rules, image string) (answer, error) {
	ref, err := imageref.Parse(image)
	if err != nil {
		return answer{}, err
	}
	res, err := r.Resolve(ref)
	fast, fastErr := r.Candidates(ref)
	if err != nil {
		if _, ok := errors.AsType[*policy.RewriteError](err); !ok {
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
