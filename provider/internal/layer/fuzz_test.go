package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// FuzzScan: whatever the bytes are, there is an answer, within the limits.
func FuzzScan(f *testing.F) {
	f.Add([]byte{})
	f.Add(blob(f, testpayload.File("d/a", "x"), testpayload.Symlink("d/b", "a"), testpayload.HardLink("d/c", "d/a"), testpayload.Whiteout("d/e")))
	for _, c := range []testpayload.Compression{testpayload.Zstd, testpayload.Uncompressed} {
		f.Add(testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{
			Compression: c, Entries: []testpayload.Entry{testpayload.File("./d/a", "x"), testpayload.OpaqueWhiteout("d")},
		}}}.Image()).Top().Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewSearch(limits, []string{"d/**", "a", "*/x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run(s, [][]byte{b, b}); err != nil {
			return
		}
		files, err := s.Files(context.Background())
		if err != nil {
			return
		}
		total := 0
		for name, data := range contents(t, files) {
			total += len(data)
			if !fs.ValidPath(name) {
				t.Errorf("%q is handed out", name)
			}
		}
		if int64(total) > 3*limits.Total { // a file may go by three names
			t.Errorf("%d bytes", total)
		}
	})
}

// FuzzMerge compares what a search finds with what is there when all layers are
// unpacked one over the other, from the bottom.
func FuzzMerge(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		var layers [][]byte
		var whole naive
		for range 1 + r.IntN(4) {
			entries := randomEntries(r)
			layers = append(layers, blob(t, entries...))
			whole.apply(entries)
		}
		check := func(ask string, want map[string]string) {
			t.Helper()
			s, err := NewSearch(limits, []string{ask})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := run(s, layers); errors.Is(err, errTurns) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			files, err := s.Files(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got := contents(t, files); !maps.Equal(got, want) {
				t.Errorf("seed %d: %s: got %q, want %q in %v", seed, ask, got, want, whole)
			}
		}
		for range 4 {
			name := randomName(r)
			want := map[string]string{}
			if data, ok := whole.read(name); ok {
				want[name] = data
			}
			check(name, want)
		}
		all, below := map[string]string{}, map[string]string{}
		for name := range whole {
			if data, ok := whole.read(name); ok {
				all[name] = data
				if strings.HasPrefix(name, "a/") && whole["a"] == "dir" {
					below[name] = data
				}
			}
		}
		check("**", all)
		if whole["a"] == "dir" {
			check("a/**", below)
		}
	})
}

func randomName(r *rand.Rand) string {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = string(rune('a' + r.IntN(3)))
	}
	return strings.Join(parts, "/")
}

func randomEntries(r *rand.Rand) (all []testpayload.Entry) {
	for range r.IntN(6) {
		name := randomName(r)
		switch r.IntN(8) {
		case 0:
			all = append(all, testpayload.Dir(name))
		case 1:
			all = append(all, testpayload.Whiteout(name))
		case 2:
			all = append(all, testpayload.OpaqueWhiteout(path.Dir(name)))
		case 3, 4:
			target := randomName(r)
			switch r.IntN(3) {
			case 0:
				target = "/" + target
			case 1:
				target = "../" + target
			}
			all = append(all, testpayload.Symlink(name, target))
		default:
			all = append(all, testpayload.File(name, fmt.Sprint(r.Uint32())))
		}
	}
	return all
}

// naive is an unpacked image: names to "dir", "link:TARGET" or "file:CONTENT".
type naive map[string]string

func (n *naive) apply(entries []testpayload.Entry) {
	own := naive{}
	hidden := map[string]bool{} // names whose lower content goes, with what is below
	inside := map[string]bool{} // directories whose lower content goes
	for _, e := range entries {
		dir, base := path.Split(e.Name)
		dir = path.Clean(dir)
		switch {
		case base == opaque:
			inside[dir] = true
			own.mkdir(dir, hidden)
			continue
		case strings.HasPrefix(base, whiteout):
			hidden[path.Join(dir, strings.TrimPrefix(base, whiteout))] = true
			own.mkdir(dir, hidden)
			continue
		}
		own.mkdir(dir, hidden)
		switch e.Type {
		case tar.TypeDir:
			own.mkdir(strings.TrimSuffix(e.Name, "/"), hidden)
		case tar.TypeSymlink:
			own.remove(e.Name, true)
			own[e.Name], hidden[e.Name] = "link:"+e.Target, true
		default:
			own.remove(e.Name, true)
			own[e.Name], hidden[e.Name] = "file:"+string(e.Body), true
		}
	}
	if *n == nil {
		*n = naive{}
	}
	for name := range hidden {
		n.remove(name, true)
	}
	for dir := range inside {
		n.remove(dir, false)
	}
	for name, what := range own {
		if what == "dir" && (*n)[name] != "dir" {
			n.remove(name, true)
		}
	}
	maps.Copy(*n, own)
}

func (n *naive) mkdir(name string, hidden map[string]bool) {
	for ; name != "." && name != ""; name = path.Dir(name) {
		if what, ok := (*n)[name]; ok && what != "dir" {
			hidden[name] = true
		}
		(*n)[name] = "dir"
	}
}

func (n *naive) remove(name string, itself bool) {
	for other := range *n {
		if itself && other == name || strings.HasPrefix(other, name+"/") || name == "." {
			delete(*n, other)
		}
	}
}

func (n naive) read(name string) (string, bool) {
	done, todo := []string{}, strings.Split(name, "/")
	for hops := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if part == ".." {
			done = done[:max(0, len(done)-1)]
			continue
		}
		at := strings.Join(append(done, part), "/")
		what, ok := n[at]
		switch {
		case !ok:
			return "", false
		case what == "dir":
			done = append(done[:len(done):len(done)], part)
		case strings.HasPrefix(what, "file:"):
			return what[len("file:"):], len(todo) == 0
		default:
			if hops++; hops > maxHops {
				return "", false
			}
			target := strings.TrimPrefix(what, "link:")
			if strings.HasPrefix(target, "/") {
				done = nil
				target = target[1:]
			}
			todo = append(strings.Split(target, "/"), todo...)
		}
	}
	return "", false
}
