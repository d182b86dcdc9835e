package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch tells of changes until ctx ends. It watches directories rather than
// files, because editors and ConfigMap mounts replace a file instead of writing
// it, and looks at the files' sizes and times every Config.Poll, because network
// file systems tell nothing. It signals once when it is watching.
func (s *source) Watch(ctx context.Context, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", s.Name(), err)
	}
	defer w.Close()

	names := s.sync(w)
	last := s.fingerprint()
	changed()

	poll := time.NewTicker(s.cfg.Poll)
	defer poll.Stop()
	var settled <-chan time.Time // while something is going on
	var latest time.Time         // when to tell although it has not ended
	touch := func() {
		if settled == nil {
			latest = time.Now().Add(10 * s.cfg.Settle)
		}
		settled = time.After(min(s.cfg.Settle, time.Until(latest)))
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Events:
			if !ok {
				return fmt.Errorf("watching %s: the watch was closed", s.Name())
			}
			if names.concern(e.Name) {
				touch()
			}
		case err, ok := <-w.Errors:
			if !ok {
				return fmt.Errorf("watching %s: the watch was closed", s.Name())
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watching %s: %w", s.Name(), err)
			}
			touch() // some events were lost, perhaps ours
		case <-settled:
			settled = nil
			names = s.sync(w)
			last = s.fingerprint()
			changed()
		case <-poll.C:
			names = s.sync(w)
			if now := s.fingerprint(); now != last {
				last = now
				changed()
			}
		}
	}
}

// interest is which names matter in each watched directory; a nil set is all.
type interest map[string]map[string]bool

func (in interest) add(dir, name string) {
	if names, there := in[dir]; there && names == nil {
		return
	}
	if in[dir] == nil {
		in[dir] = map[string]bool{}
	}
	in[dir][name] = true
}

func (in interest) all(dir string) { in[dir] = nil }

// concern reports whether a change of path matters. "..data" is the link that a
// ConfigMap mount swaps.
func (in interest) concern(path string) bool {
	if _, watched := in[path]; watched {
		return true // the directory itself came or went
	}
	names, watched := in[filepath.Dir(path)]
	base := filepath.Base(path)
	return watched && (names == nil || names[base] || strings.HasPrefix(base, "..data"))
}

// sync watches every directory on the way to the files, as the links stand now.
// A directory that cannot be watched is left to the poll.
func (s *source) sync(w *fsnotify.Watcher) interest {
	in := interest{}
	s.follow(in, s.path)
	l, err := look(s.path)
	if err == nil && l.dir {
		in.all(s.path)
		for _, below := range []string{"working-dir", l.followed} {
			if below == "working-dir" {
				below = filepath.Join(s.path, below)
			}
			if info, err := os.Stat(below); err == nil && info.IsDir() {
				in.all(below)
			}
		}
		for _, path := range append(append([]string{l.conf}, l.files...), l.dropIns...) {
			if path != "" {
				s.follow(in, path)
			}
		}
	}
	conf := s.path
	if l.dir {
		conf = filepath.Join(s.path, confName)
	}
	if info, err := os.Stat(conf + ".d"); err == nil && info.IsDir() {
		in.all(conf + ".d")
	}
	for _, dir := range w.WatchList() {
		if _, wanted := in[dir]; !wanted {
			_ = w.Remove(dir)
		}
	}
	for dir := range in {
		_ = w.Add(dir)
	}
	return in
}

// follow adds what decides which file path is: its own directory, the directory
// of each symbolic link on the way, and where the links lead in the end.
func (s *source) follow(in interest, path string) {
	for range 16 { // more links in a row than any mount has
		dir := filepath.Dir(path)
		in.add(dir, filepath.Base(path))
		in.add(dir, filepath.Base(path)+".d")
		for up := dir; up != filepath.Dir(up); up = filepath.Dir(up) {
			if info, err := os.Lstat(up); err == nil && info.Mode()&os.ModeSymlink != 0 {
				in.add(filepath.Dir(up), filepath.Base(up))
			}
		}
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		in.add(filepath.Dir(real), filepath.Base(real))
	}
}

// fingerprint changes when the poll should tell: other files, sizes or times.
func (s *source) fingerprint() string {
	l, err := look(s.path)
	if err != nil {
		return "away"
	}
	if !l.dir {
		_ = l.addDropIns(s.path)
	}
	paths := append(append([]string{l.conf}, l.files...), l.dropIns...)
	var b strings.Builder
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
