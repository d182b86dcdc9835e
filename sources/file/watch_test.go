package file_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// Quick to tell, and with a poll that comes too late to be what tells.
var quick = file.Config{Settle: time.Millisecond, Poll: time.Hour}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openWith(t *testing.T, path string, cfg file.Config) policy.OverrideSource {
	t.Helper()
	src, err := file.Open(path, cfg)
	must(t, err)
	return src
}

// rename replaces path the way editors do.
func rename(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.Rename(write(t, path+"~", text), path))
}

// mount lays files out as the kubelet mounts a ConfigMap: links through ..data to
// a directory of their own. swap puts a new directory in place, in one step.
func mount(t *testing.T, dir, name, text string) {
	t.Helper()
	write(t, dir+"/..v1/"+name, text)
	must(t, os.Symlink("..v1", dir+"/..data"))
	must(t, os.Symlink("..data/"+name, dir+"/"+name))
}

func swap(t *testing.T, dir, version, name, text string) {
	t.Helper()
	old, err := os.Readlink(dir + "/..data")
	must(t, err)
	write(t, dir+"/"+version+"/"+name, text)
	must(t, os.Symlink(version, dir+"/..data_tmp"))
	must(t, os.Rename(dir+"/..data_tmp", dir+"/..data"))
	must(t, os.RemoveAll(dir+"/"+old))
}

var (
	first  = idms("a", "a.io", "m.io")
	second = idms("a", "a.io", "m.io", "n.io")
)

const broken = "- source: a.io\n  mirr"

// Every way in which a file changes passes the conformance suite.
func TestConformance(t *testing.T) {
	for name, fresh := range map[string]func(t *testing.T, dir string) sourcetest.Fixture{
		"written in place": func(t *testing.T, dir string) sourcetest.Fixture {
			path := write(t, dir+"/p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, path, quick),
				Change: func(t *testing.T) { write(t, path, second) },
				Break:  func(t *testing.T) { write(t, path, broken) },
				Away:   func(t *testing.T) { must(t, os.Remove(path)) },
			}
		},
		"replaced by an editor": func(t *testing.T, dir string) sourcetest.Fixture {
			path := write(t, dir+"/p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, path, quick),
				Change: func(t *testing.T) { rename(t, path, second) },
				Break:  func(t *testing.T) { rename(t, path, broken) },
			}
		},
		"removed and written": func(t *testing.T, dir string) sourcetest.Fixture {
			path := write(t, dir+"/p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, path, quick),
				Change: func(t *testing.T) { must(t, os.Remove(path)); write(t, path, second) },
			}
		},
		"mounted from a ConfigMap": func(t *testing.T, dir string) sourcetest.Fixture {
			mount(t, dir, "p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, dir+"/p.yaml", quick),
				Change: func(t *testing.T) { swap(t, dir, "..v2", "p.yaml", second) },
				Break:  func(t *testing.T) { swap(t, dir, "..v3", "p.yaml", broken) },
				Away:   func(t *testing.T) { must(t, os.Remove(dir+"/..data")) },
			}
		},
		"directory mounted from a ConfigMap": func(t *testing.T, dir string) sourcetest.Fixture {
			mount(t, dir, "p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, dir, quick),
				Change: func(t *testing.T) { swap(t, dir, "..v2", "p.yaml", second) },
				Break:  func(t *testing.T) { swap(t, dir, "..v3", "p.yaml", broken) },
			}
		},
		"behind a link": func(t *testing.T, dir string) sourcetest.Fixture {
			target := write(t, dir+"/there/p.yaml", first)
			must(t, os.Mkdir(dir+"/here", 0o755))
			must(t, os.Symlink("../there/p.yaml", dir+"/here/link"))
			return sourcetest.Fixture{
				Source: openWith(t, dir+"/here/link", quick),
				Change: func(t *testing.T) { rename(t, target, second) },
				Break:  func(t *testing.T) { write(t, target, broken) },
			}
		},
		"below a link that moves": func(t *testing.T, dir string) sourcetest.Fixture {
			write(t, dir+"/v1/p.yaml", first)
			write(t, dir+"/v2/p.yaml", second)
			must(t, os.Symlink("v1", dir+"/current"))
			return sourcetest.Fixture{
				Source: openWith(t, dir+"/current/p.yaml", quick),
				Change: func(t *testing.T) {
					must(t, os.Symlink("v2", dir+"/tmp"))
					must(t, os.Rename(dir+"/tmp", dir+"/current"))
				},
			}
		},
		"a file more in a directory": func(t *testing.T, dir string) sourcetest.Fixture {
			write(t, dir+"/d/p.yaml", first)
			return sourcetest.Fixture{
				Source: openWith(t, dir+"/d", quick),
				Change: func(t *testing.T) { write(t, dir+"/d/q.yaml", idms("q", "q.io", "m.io")) },
				Break:  func(t *testing.T) { write(t, dir+"/d/r.yaml", broken) },
				Away:   func(t *testing.T) { must(t, os.RemoveAll(dir+"/d")) },
			}
		},
		"a directory replaced": func(t *testing.T, dir string) sourcetest.Fixture {
			write(t, dir+"/d/p.yaml", first)
			write(t, dir+"/new/p.yaml", second)
			return sourcetest.Fixture{
				Source: openWith(t, dir+"/d", quick),
				Change: func(t *testing.T) {
					must(t, os.Rename(dir+"/d", dir+"/old"))
					must(t, os.Rename(dir+"/new", dir+"/d"))
				},
				Break: func(t *testing.T) { write(t, dir+"/d/p.yaml", broken) },
			}
		},
		"a first drop-in": func(t *testing.T, dir string) sourcetest.Fixture {
			path := write(t, dir+"/r.conf", table("a.io", "[[registry.mirror]]", `location = "m.io"`))
			return sourcetest.Fixture{
				Source: openWith(t, path, quick),
				Change: func(t *testing.T) { write(t, path+".d/1.conf", table("a.io")) },
				Break:  func(t *testing.T) { write(t, path+".d/2.conf", "[[registry") },
			}
		},
		"polled alone": func(t *testing.T, dir string) sourcetest.Fixture {
			path := write(t, dir+"/p.yaml", first)
			src := openWith(t, path, quick)
			plain := struct{ policy.OverrideSource }{src} // hides Watch
			return sourcetest.Fixture{
				Source: sources.Poll(plain, time.Millisecond),
				Change: func(t *testing.T) { write(t, path, second) },
				Break:  func(t *testing.T) { write(t, path, broken) },
			}
		},
		"standard input": func(t *testing.T, dir string) sourcetest.Fixture {
			f, err := os.Open(write(t, dir+"/p.yaml", first))
			must(t, err)
			defer f.Close()
			return sourcetest.Fixture{Source: openWith(t, "-", file.Config{Stdin: f})}
		},
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture { return fresh(t, t.TempDir()) })
		})
	}
}

// watch follows src in the background until the test ends.
func watch(t *testing.T, src policy.OverrideSource) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	signals, done := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(done)
		_ = src.(policy.Watcher).Watch(ctx, func() { signals <- struct{}{} })
	}()
	t.Cleanup(func() { cancel(); <-done })
	<-signals // it watches
	return signals
}

// Where the file system tells nothing, the poll does.
func TestPollTells(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir+"/a/p.yaml", first)
	// What the file system tells is held back for an hour.
	src := openWith(t, path, file.Config{Settle: time.Hour, Poll: time.Millisecond})
	signals := watch(t, src)
	write(t, path, second)
	<-signals
}

// lines takes a log, line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// The resolver keeps what was last good through a broken file and a missing one.
func TestResolverKeepsLastGood(t *testing.T) {
	path := write(t, t.TempDir()+"/p.yaml", first)
	logged := make(lines, 1000)
	log := slog.New(slog.NewTextHandler(logged, nil))
	until := func(part string) {
		t.Helper()
		for message := range logged {
			if strings.Contains(message, part) {
				return
			}
		}
	}

	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{Log: log}, openWith(t, path, quick))
	must(t, err)
	until("in force")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	good := r.Current()

	rename(t, path, broken)
	until("not loaded")
	if st := r.Status()[0]; r.Current() != good || st.Err == nil || !st.Loaded {
		t.Errorf("a broken file: rules replaced %t, status %+v", r.Current() != good, st)
	}
	rename(t, path, second)
	until("in force")
	now := r.Current()
	if st := r.Status()[0]; now.Version() == good.Version() || st.Err != nil {
		t.Errorf("a mended file: version %s as before, status %+v", now.Version(), st)
	}
	must(t, os.Remove(path))
	until("not loaded")
	if st := r.Status()[0]; r.Current() != now || st.Err == nil {
		t.Errorf("a missing file: rules replaced %t, status %+v", r.Current() != now, st)
	}
	cancel()
	must(t, <-ended)
}

// A load that falls between the truncation of a file and its being written waits for
// what comes. What a file held before would be forgotten otherwise, a source that it
// forbids among it.
func TestLoadBetweenTruncationAndWrite(t *testing.T) {
	path := t.TempDir() + "/policies.yaml"
	whole := idms("a", "quay.io/a", "m.example/a")
	for name, tt := range map[string]struct {
		before, text string
		age          time.Duration // of what is there before
		rules        int
		waits        bool
	}{
		"written":       {"", whole, time.Millisecond, 1, true},
		"left empty":    {"", "", time.Millisecond, 0, true},
		"empty already": {"", "", time.Minute, 0, false},
		// Both parse: what is between is what nobody wrote.
		"half of it": {idms("b", "quay.io/b", "m.example/b"), whole + "---\n" + idms("c", "quay.io/c", "m.example/c"), time.Millisecond, 2, true},
		"whole":      {whole, whole, time.Minute, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				write(t, path, tt.before)
				changed := time.Now().Add(-tt.age)
				must(t, os.Chtimes(path, changed, changed))
				src := openWith(t, path, file.Config{})
				done := make(chan policy.Policy, 1)
				go func() {
					p, err := src.Load(t.Context())
					if err != nil {
						t.Error(err)
					}
					done <- p
				}()
				synctest.Wait()
				if waits := len(done) == 0; waits != tt.waits {
					t.Errorf("waits: %t, want %t", waits, tt.waits)
				}
				write(t, path, tt.text)
				if p := <-done; len(p.Rules) != tt.rules {
					t.Errorf("%d rules, want %d", len(p.Rules), tt.rules)
				}
			})
		})
	}
}
