package peers

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/BurntSushi/toml"
	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
)

// TestDrain asks package diff what nodes do about random changes of policies, and wants the
// answer that the machine-config daemon's rule gives for what runtime-utils renders.
func TestDrain(t *testing.T) {
	root := t.TempDir()
	seen := map[string]int{}
	for i := range *sets {
		g := newGenerator(*seed + 1_000_000 + uint64(i))
		old := g.apiSet()
		updated := g.mutate(old)
		var confs [2]sr536.V2RegistriesConf
		var sides [2]diff.Side
		refused := false
		for j, s := range []*policySet{old, updated} {
			dir := filepath.Join(root, fmt.Sprint(i, "-", j))
			n, err := newNode(t, dir, s)
			if refused = refused || err != nil; err != nil {
				continue
			}
			confs[j].Registries = n.tables
			writeObjects(t, dir, s)
			policies, err := read(t, dir, s)
			if err != nil {
				t.Fatal(err)
			}
			if sides[j], err = diff.NewSide(policy.RulesConfig{}, policies...); err != nil {
				t.Fatalf("seed %d: nodes take what ours refuse: %v", i, err)
			}
		}
		sysregistriesv2.InvalidateCache()
		if refused {
			seen["refused"]++
			continue
		}
		want := daemon(t, confs[0], confs[1])
		nodes := diff.Compare(sides[0], sides[1]).Nodes
		// Blocked registries are in policy.json too, of which the daemon's rule says nothing.
		other := want == diff.Nothing && nodes.Action == diff.Reload && !slices.Equal(old.blocked, updated.blocked)
		if nodes.Action != want && !other {
			t.Fatalf("seed %d: ours %v %q, the daemon %v\n%s\n%s", *seed+1_000_000+uint64(i), nodes.Action, nodes.Reasons, want,
				describe(filepath.Join(root, fmt.Sprint(i, "-", 0)), old), describe(filepath.Join(root, fmt.Sprint(i, "-", 1)), updated))
		}
		seen[want.String()]++
	}
	t.Log(seen)
	if *sets >= 300 && (seen["nothing"] < *sets/30 || seen["reload"] < *sets/30 || seen["drain"] < *sets/10) {
		t.Error("the pairs ask about too little")
	}
}

// apiSet makes a set of API objects alone, without anything odd, as a cluster has it.
func (g generator) apiSet() *policySet {
	for {
		s := g.set()
		s.base, s.dropIns, s.any, s.tagsFollow = nil, nil, nil, false
		if s.edited() {
			return s
		}
	}
}

// mutate makes another set that is near to s: one entry, mirror, policy or scope changes,
// objects change places, or nothing does.
func (g generator) mutate(s *policySet) *policySet {
	c := *s
	if g.chance(8) {
		return g.apiSet()
	}
	c.idms, c.itms, c.icsp = deepCopies(s.idms), deepCopies(s.itms), deepCopies(s.icsp)
	c.insecure, c.blocked = append([]string(nil), s.insecure...), append([]string(nil), s.blocked...)
	for range 1 + g.IntN(2) {
		g.mutateOnce(&c)
	}
	return &c
}

func (g generator) mutateOnce(c *policySet) {
	other := g.apiSet()
	switch g.IntN(10) {
	case 0: // objects of the same content under other names
		for _, o := range c.icsp {
			o.Name += "-renamed"
		}
		for i, j := 0, len(c.idms)-1; i < j; i, j = i+1, j-1 {
			c.idms[i], c.idms[j] = c.idms[j], c.idms[i]
		}
	case 1:
		c.idms = append(c.idms, other.idms...)
	case 2:
		c.itms = append(c.itms, other.itms...)
	case 3:
		c.insecure = other.insecure
	case 4:
		c.blocked = other.blocked
	case 5:
		if len(c.insecure) > 1 {
			c.insecure[0], c.insecure[1] = c.insecure[1], c.insecure[0]
		}
	default:
		if len(c.idms) == 0 {
			c.idms = other.idms
			return
		}
		o := c.idms[g.IntN(len(c.idms))]
		if len(o.Spec.ImageDigestMirrors) == 0 {
			return
		}
		e := &o.Spec.ImageDigestMirrors[g.IntN(len(o.Spec.ImageDigestMirrors))]
		switch {
		case g.chance(20):
			e.MirrorSourcePolicy = "NeverContactSource"
		case g.chance(40) || len(e.Mirrors) < 2:
			e.Mirrors = append(e.Mirrors, imageMirrors([]string{g.mirror(e.Source, 0)})...)
		case g.chance(50):
			e.Mirrors[0], e.Mirrors[1] = e.Mirrors[1], e.Mirrors[0]
		default:
			e.Mirrors = e.Mirrors[1:]
		}
	}
}

func deepCopies[T interface{ DeepCopy() T }](in []T) (out []T) {
	for _, o := range in {
		out = append(out, o.DeepCopy())
	}
	return out
}

// daemon applies the rule of the machine-config daemon (package daemon,
// isSafeContainerRegistryConfChanges), stated again over what it parses.
func daemon(t *testing.T, old, updated sr536.V2RegistriesConf) diff.Action {
	t.Helper()
	var texts [2]bytes.Buffer
	for i, c := range []sr536.V2RegistriesConf{old, updated} {
		if err := toml.NewEncoder(&texts[i]).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(texts[0].Bytes(), texts[1].Bytes()) {
		return diff.Nothing
	}
	key := func(r sr536.Registry) string {
		if r.Prefix != "" {
			return r.Prefix
		}
		return r.Location
	}
	find := func(c sr536.V2RegistriesConf, scope string) (found sr536.Registry, ok bool) {
		for _, r := range c.Registries {
			if key(r) == scope {
				found, ok = r, true
			}
		}
		return found, ok
	}
	at := func(r sr536.Registry, location string) (sr536.Endpoint, bool) {
		for _, m := range r.Mirrors {
			if m.Location == location {
				return m, true
			}
		}
		return sr536.Endpoint{}, false
	}
	for _, r := range old.Registries {
		if _, ok := find(updated, key(r)); !ok {
			return diff.Drain
		}
	}
	for _, r := range updated.Registries {
		n, _ := find(updated, key(r))
		o, ok := find(old, key(r))
		if !ok {
			if len(n.Mirrors) == 0 && !n.MirrorByDigestOnly {
				return diff.Drain
			}
			for _, m := range n.Mirrors {
				if m.PullFromMirror != sr536.MirrorByDigestOnly {
					return diff.Drain
				}
			}
			continue
		}
		if reflect.DeepEqual(o, n) {
			continue
		}
		if o.Prefix != n.Prefix || o.Location != n.Location || o.Blocked != n.Blocked || o.Insecure != n.Insecure {
			return diff.Drain
		}
		for _, m := range o.Mirrors {
			if _, ok := at(n, m.Location); !ok {
				return diff.Drain
			}
		}
		for _, m := range n.Mirrors {
			before, ok := at(o, m.Location)
			if m.PullFromMirror != sr536.MirrorByDigestOnly && (ok && m.PullFromMirror != before.PullFromMirror || !ok && !n.MirrorByDigestOnly) {
				return diff.Drain
			}
		}
	}
	return diff.Reload
}
