package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Build returns the folder of a module's binaries, building them first where that
// has not been done. Processes that call it at once wait for the one that builds.
// A build that is interrupted leaves nothing that could be taken for a result, and
// the next one goes on from what the compiler has cached. Progress and compiler
// messages go to log.
func Build(ctx context.Context, log io.Writer, module string) (dir string, err error) {
	if dir, err = Find(module); !errors.Is(err, ErrNotBuilt) {
		return dir, err
	}
	src, err := source(module)
	if err != nil {
		return "", err
	}
	if dir, err = target(src, module); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(filepath.Dir(dir), module+".lock")).Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // built while we waited for the lock
	}

	// One name, not a random one: under the lock, what lies there is a dead build's.
	unfinished := filepath.Join(filepath.Dir(dir), module+".unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "building the %s servers for the tests into %s: once, and minutes from cold\n", module, dir)
	began := time.Now()
	options, err := flags(src)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", unfinished + string(filepath.Separator)}, options...)...)
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", err
	}
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("building the servers of test/%s: %w", module, err), os.RemoveAll(unfinished))
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return "", err
	}
	fmt.Fprintf(log, "built the %s servers in %s\n", module, time.Since(began).Round(time.Second))
	return dir, nil
}

// flags returns the arguments of go build. A module's file ldflags adds to what the linker is
// told, its file tags has build tags, and programs of other modules that its go.mod names as
// tools are built beside its own.
func flags(src string) ([]string, error) {
	own := make(map[string]string)
	for _, name := range []string{"ldflags", "tags", "go.mod"} {
		b, err := os.ReadFile(filepath.Join(src, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		own[name] = strings.TrimSpace(string(b))
	}
	args := []string{"-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + own["ldflags"], "-tags", own["tags"], "./..."}
	if strings.Contains(own["go.mod"], "\ntool ") {
		args = append(args, "tool")
	}
	return args, nil
}
