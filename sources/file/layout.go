package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is which files a path stands for now.
type layout struct {
	dir      bool
	files    []string // documents, or a registries.conf: the content tells
	conf     string   // a registries.conf by its name, in a directory
	dropIns  []string // of conf, or all there is; in the order they apply
	unread   []string // *.conf beside a registries.conf
	nowhere  []string // symbolic links to nothing, which would be read
	followed string   // the cluster-resources of an oc-mirror workspace
	hint     string   // for a directory with nothing in it
}

func (l layout) empty() bool { return len(l.files)+len(l.dropIns) == 0 && l.conf == "" }

const confName = "registries.conf"

// look finds the files of path: the file itself, or what lies in the directory,
// sorted by name and not below it.
func look(path string) (layout, error) {
	info, err := os.Stat(path)
	if err != nil {
		return layout{}, err
	}
	if !info.IsDir() {
		return layout{files: []string{path}}, nil
	}
	l := layout{dir: true}
	entries, err := os.ReadDir(path)
	if err != nil {
		return layout{}, err
	}
	var confs []string
	onlyDropIns := strings.HasSuffix(filepath.Clean(path), confName+".d")
	for _, e := range entries { // sorted by name
		name, full := e.Name(), filepath.Join(path, e.Name())
		document := slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name)))
		conf := strings.HasSuffix(name, ".conf") // nodes tell them apart by their case
		switch {
		case !document && !conf, strings.HasPrefix(name, ".") && !(conf && onlyDropIns):
		case leadsNowhere(full, e):
			l.nowhere = append(l.nowhere, full)
		case !isFile(full, e):
		case document:
			l.files = append(l.files, full)
		case name == confName && !onlyDropIns:
			l.conf = full
		default:
			confs = append(confs, full)
		}
	}
	if l.conf != "" {
		l.unread = confs
	} else {
		l.dropIns = confs // as a registries.conf.d has them, whatever the folder is called
	}
	if err := l.addDropIns(filepath.Join(path, confName)); err != nil {
		return layout{}, err
	}
	if err := l.follow(path); err != nil {
		return layout{}, err
	}
	if l.empty() {
		l.hint = deeper(path, entries)
	}
	return l, nil
}

// follow adds the files of cluster-resources below the root of an oc-mirror workspace, or
// below its working-dir.
func (l *layout) follow(path string) error {
	for _, below := range []string{"cluster-resources", "working-dir/cluster-resources"} {
		dir := filepath.Join(path, below)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		resources, err := look(dir)
		if err != nil {
			return err
		}
		l.followed = dir
		l.files = append(l.files, resources.files...)
		l.nowhere = append(l.nowhere, resources.nowhere...)
		l.dropIns = append(l.dropIns, resources.dropIns...)
		return nil
	}
	return nil
}

// isFile follows symbolic links, as ConfigMap mounts have them. What vanished
// since it was listed is not there.
func isFile(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// leadsNowhere reports whether a file is a symbolic link whose target is not there.
func leadsNowhere(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return false
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// addDropIns adds the *.conf files in the directory that belongs to a registries.conf, in
// lexical order. It need not exist.
func (l *layout) addDropIns(conf string) error {
	dir := conf + ".d"
	entries, err := os.ReadDir(dir) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		full := filepath.Join(dir, e.Name())
		switch {
		case !strings.HasSuffix(e.Name(), ".conf"):
		case leadsNowhere(full, e):
			l.nowhere = append(l.nowhere, full)
		case isFile(full, e):
			l.dropIns = append(l.dropIns, full)
		}
	}
	return err
}

// deeper points into the workspace of oc-mirror v1 where somebody named its top: each run
// has results of its own there.
func deeper(path string, entries []fs.DirEntry) string {
	if info, err := os.Stat(filepath.Join(path, "oc-mirror-workspace")); err == nil && info.IsDir() {
		return "; did you mean " + filepath.Join(path, "oc-mirror-workspace") + "?"
	}
	for _, e := range slices.Backward(entries) { // the latest
		if e.IsDir() && strings.HasPrefix(e.Name(), "results-") {
			return "; did you mean " + filepath.Join(path, e.Name()) + "?"
		}
	}
	return ""
}
