package payload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// work is one payload in the making: its directory and what is known so far. All files are
// read and written through root, so that a link made by an image or a program cannot lead
// out of the directory.
type work struct {
	*Pipeline
	in      Inputs
	path    string // absolute
	root    *os.Root
	secrets secrets
	version release
}

const workPrefix = "payload-"

func (p *Pipeline) newWork(in Inputs) (*work, error) {
	dir, err := os.MkdirTemp(p.cfg.WorkDir, workPrefix) // 0700
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	w := &work{Pipeline: p, in: in, path: dir, root: root, secrets: newSecrets(in.PullSecret, in.BootstrapKubeconfig)}
	for _, d := range []string{"bin", "mco", "mcc", "mcs", "config", "tmp"} {
		if err := root.Mkdir(d, 0o755); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *work) close() error {
	return errors.Join(w.root.Close(), os.RemoveAll(w.path))
}

// write writes a file that only we and our programs read.
func (w *work) write(name string, b []byte) error {
	if err := w.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return w.root.WriteFile(name, b, 0o600)
}

func (w *work) copy(from, to string) error {
	b, err := w.root.ReadFile(from)
	if err != nil {
		return err
	}
	return w.write(to, b)
}

// copyIfThere copies a file that need not exist.
func (w *work) copyIfThere(from, to string) error {
	if err := w.copy(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// executable makes sure that a file is there and may be run.
func (w *work) executable(name, what string) error {
	info, err := w.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not in it", what)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", what)
	}
	return w.root.Chmod(name, 0o700)
}

// sweep removes what payloads that were cut off left behind.
func sweep(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, workPrefix+"*"))
	if err != nil {
		return err
	}
	for _, d := range old {
		if !strings.HasPrefix(filepath.Base(d), workPrefix) {
			continue
		}
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	return nil
}
