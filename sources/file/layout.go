package file

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layout is which files a path stands for now.
type layout struct {
	dir     bool
	files   []string // documents, or a registries.conf: the content tells
	conf    string   // a registries.conf by its name, in a directory
	dropIns []string // of conf, or all there is; in the order they apply
	unread  []string // *.conf beside documents
	hint    string   // for a directory with nothing in it
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
	for _, e := range entries { // sorted by name
		name, full := e.Name(), filepath.Join(path, e.Name())
		if strings.HasPrefix(name, ".") || !isFile(full, e) {
			continue
		}
		switch ext := strings.ToLower(filepath.Ext(name)); {
		case ext == ".yaml", ext == ".yml", ext == ".json":
			l.files = append(l.files, full)
		case name == confName:
			l.conf = full
		case ext == ".conf":
			confs = append(confs, full)
		}
	}
	switch {
	case l.conf != "":
		l.dropIns, err = dropIns(l.conf)
	case len(l.files) == 0:
		l.dropIns = confs
	default:
		l.unread = confs
	}
	if l.empty() {
		l.hint = deeper(path, entries)
	}
	return l, err
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

// dropIns are the *.conf files in the directory that belongs to a registries.conf,
// in lexical order. It need not exist.
func dropIns(conf string) ([]string, error) {
	dir := conf + ".d"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		full := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".conf") && isFile(full, e) {
			out = append(out, full)
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out, nil
}

// deeper points into oc-mirror's workspace where somebody named its top.
func deeper(path string, entries []fs.DirEntry) string {
	for _, below := range []string{"cluster-resources", "working-dir/cluster-resources", "oc-mirror-workspace"} {
		if info, err := os.Stat(filepath.Join(path, below)); err == nil && info.IsDir() {
			return "; did you mean " + filepath.Join(path, below) + "?"
		}
	}
	for _, e := range slices.Backward(entries) { // the latest
		if e.IsDir() && strings.HasPrefix(e.Name(), "results-") {
			return "; did you mean " + filepath.Join(path, e.Name()) + "?"
		}
	}
	return ""
}
