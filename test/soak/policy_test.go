package soak_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// policyState is one state of the policy file.
type policyState struct {
	text    []byte
	version string // of its rules
}

// orders is how many states the file goes through while the switched source is
// forbidden, and as many while it is not.
const orders = 6

// policies makes all states of the file. Half of them forbid the switched source.
func policies(tb testing.TB, lines []*line) (all [2][orders]policyState) {
	tb.Helper()
	scratch := filepath.Join(tb.TempDir(), "policies.json")
	for forbidden := range all {
		for n := range orders {
			text := document(lines, n, forbidden == 1)
			if err := os.WriteFile(scratch, text, 0o600); err != nil {
				tb.Fatal(err)
			}
			src, err := file.Open(scratch, file.Config{})
			if err != nil {
				tb.Fatal(err)
			}
			p, err := src.Load(tb.Context())
			if err != nil {
				tb.Fatal(err)
			}
			rules, err := policy.NewRules(policy.RulesConfig{}, p)
			if err != nil {
				tb.Fatal(err)
			}
			all[forbidden][n] = policyState{text, rules.Version()}
		}
	}
	return all
}

// document returns the file with the mirrors of each line in the nth order. It is JSON,
// so that no part of it is a whole one. The source that is shut always is.
func document(lines []*line, n int, forbidden bool) []byte {
	type entry struct {
		Source  string   `json:"source"`
		Mirrors []string `json:"mirrors"`
		Policy  string   `json:"mirrorSourcePolicy,omitempty"`
	}
	var entries []entry
	for _, l := range lines {
		if len(l.mirrors) == 0 {
			continue
		}
		e := entry{Source: l.source.Host() + "/" + l.repo}
		for i := range l.mirrors {
			m := l.mirrors[(i+n)%len(l.mirrors)]
			if i > 0 && n == 4 {
				break // one mirror only
			}
			e.Mirrors = append(e.Mirrors, m.Host()+"/"+l.mirror)
		}
		if l.name == "shut" || l.name == "switched" && forbidden || l.name == "main" && n == 5 {
			e.Policy = "NeverContactSource"
		}
		entries = append(entries, e)
	}
	object := func(kind, field string) map[string]any {
		return map[string]any{
			"apiVersion": "config.openshift.io/v1", "kind": kind, "metadata": map[string]any{"name": "soak"},
			"spec": map[string]any{field: entries},
		}
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{
		object("ImageDigestMirrorSet", "imageDigestMirrors"), object("ImageTagMirrorSet", "imageTagMirrors"),
	}})
	if err != nil {
		panic(err) // of maps and strings
	}
	return text
}

// put puts a state of the file in place in one step, as editors do.
func (s *soak) put(text []byte) {
	tmp := s.policyFile + "~"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		s.fail("writing the policies: %v", err)
	}
	if err := os.Rename(tmp, s.policyFile); err != nil {
		s.fail("writing the policies: %v", err)
	}
}

// overwrite writes the file in place, without it being empty in between: a file that is
// empty for longer than a source lets it settle is an empty file, and on a busy machine
// the writer may rest for that long. So one that is not there is put there.
func (s *soak) overwrite(text []byte) error {
	f, err := os.OpenFile(s.policyFile, os.O_WRONLY, 0)
	if os.IsNotExist(err) {
		s.put(text)
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text[:1], 0)
	if err == nil {
		err = f.Truncate(1)
	}
	if err == nil {
		_, err = f.WriteAt(text, 0)
	}
	return errors.Join(err, f.Close())
}

// known reports whether rules of that version are those of a whole policy file.
func (s *soak) known(version string) bool {
	for _, states := range s.policies {
		for _, p := range states {
			if p.version == version {
				return true
			}
		}
	}
	return false
}

// rewrite writes the policy file again and again: as a whole, in part, in place, as
// nonsense, and takes it away.
func (s *soak) rewrite(r *rand.Rand, states [orders]policyState, stop <-chan struct{}) {
	for wait(upTo(r, 80*time.Millisecond), stop) {
		p := states[r.IntN(orders)]
		var err error
		switch what := r.IntN(10); what {
		case 0:
			err = s.overwrite(p.text[:1+r.IntN(len(p.text)-1)])
		case 1:
			s.put([]byte(`{"kind": "ImageDigestMirrorSet", "spec": {"imageDigestMirrors": [{"source": "*"}]}}`))
		case 2:
			err = os.Remove(s.policyFile)
			if os.IsNotExist(err) {
				err = nil
			}
		case 3:
			err = s.overwrite(p.text)
		default:
			s.put(p.text)
		}
		if err != nil {
			s.fail("writing the policies: %v", err)
		}
		s.count("policy files")
	}
}

// settle puts a state in place and waits until it is in force.
func (s *soak) settle(p policyState) {
	s.put(p.text)
	s.await("the policies to be in force", func() bool {
		now := s.resolver.Current()
		return now != nil && now.Version() == p.version
	})
}
