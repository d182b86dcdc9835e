package peers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/sources/convert"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// TestConvert converts random policies to each form that nodes read, and back. Where a
// conversion says that nothing is lost, nodes' own code must give the answers that it gives
// for the original.
func TestConvert(t *testing.T) {
	root := t.TempDir()
	seen := map[string]int{}
	for i := range *sets {
		g := newGenerator(*seed + 2_000_000 + uint64(i))
		s := g.set()
		s.dropIns, s.tagsFollow, s.any = nil, false, nil
		dir := filepath.Join(root, fmt.Sprint(i))
		n, err := newNode(t, dir, s)
		if err != nil {
			seen["refused by nodes"]++
			continue
		}
		writeObjects(t, dir, s)
		policies, err := read(t, dir, s)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []convert.Format{convert.IDMS, convert.ICSP, convert.RegistriesConf} {
			fail := func(format string, args ...any) {
				t.Helper()
				t.Fatalf("seed %d to %s: %s\n%s", *seed+2_000_000+uint64(i), to, fmt.Sprintf(format, args...), describe(dir, s))
			}
			result, err := convert.Convert(convert.Config{To: to}, policies...)
			if _, lossy := errors.AsType[*convert.LossError](err); lossy {
				seen[fmt.Sprintf("lossy to %s", to)]++
				continue
			}
			if err != nil { // such as a name that the API server refuses
				seen[fmt.Sprintf("refused to %s", to)]++
				continue
			}
			seen[fmt.Sprintf("exact to %s", to)]++
			out := nodeOf(t, filepath.Join(dir, "to-"+string(to)), result)
			for _, image := range s.images {
				ref, err := normalize(image)
				if err != nil {
					continue
				}
				want, err := n.ask(ref)
				if err != nil {
					t.Fatal(err)
				}
				got, err := out.ask(ref)
				if err != nil {
					t.Fatal(err)
				}
				// Which places are refused, and which table says so, is no matter.
				if got.failed != want.failed || !slices.Equal(got.candidates, want.candidates) {
					fail("%s\nbefore: %+v\nafter:  %+v\n%s", image, want, got, text(result))
				}
			}
			back(t, to, policies, result, seen, fail)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		sysregistriesv2.InvalidateCache()
	}
	t.Log(seen)
	if *sets >= 300 && (seen["exact to idms"] < *sets/10 || seen["exact to icsp"] < *sets/50 || seen["exact to registries.conf"] < *sets/10 || seen["there and back"] < *sets/10) {
		t.Error("the sets ask about too little")
	}
}

// back converts what came of a conversion to the API and again, and wants the same files.
func back(t *testing.T, to convert.Format, before []policy.Policy, result convert.Result, seen map[string]int, fail func(string, ...any)) {
	t.Helper()
	var policies []policy.Policy
	for _, f := range result.Files {
		p, err := file.Parse("file:"+f.Name, f.Data)
		if err != nil {
			fail("%v\n%s", err, text(result))
		}
		policies = append(policies, p)
	}
	was, err := diff.NewSide(policy.RulesConfig{}, before...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := convert.Convert(convert.Config{To: convert.RegistriesConf}, policies...)
	if err != nil {
		fail("%v\n%s", err, text(result))
	}
	p, err := file.Parse("file:registries.conf", second.Files[0].Data)
	if err != nil {
		fail("%v\n%s", err, text(second))
	}
	is, err := diff.NewSide(policy.RulesConfig{}, p)
	if err != nil {
		fail("%v\n%s", err, text(second))
	}
	if was.Rules().Version() == is.Rules().Version() {
		seen["there and back"]++
		return
	}
	// A table that says nothing may be gone, and a mirror that is named twice; nothing else.
	for _, s := range diff.Compare(was, is).Sources {
		if !reflect.DeepEqual(s.Digests.Before, s.Digests.After) || !reflect.DeepEqual(s.Tags.Before, s.Tags.After) {
			fail("%+v\n%s", s, text(second))
		}
	}
	seen["there and back, but for tables"]++
}

// nodeOf returns a node that has what was converted.
func nodeOf(t *testing.T, dir string, result convert.Result) *node {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := objectsOf(t, result)
	conf := filepath.Join(dir, "registries.conf")
	if s == nil {
		if err := os.WriteFile(conf, result.Files[0].Data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := withDropIns(conf, filepath.Join(dir, "none"), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text(result))
		}
		return n
	}
	n, err := newNode(t, dir, s)
	if err != nil {
		t.Fatalf("%v\n%s", err, text(result))
	}
	return n
}

func text(r convert.Result) (s string) {
	for _, f := range r.Files {
		s += string(f.Data)
	}
	return s
}
