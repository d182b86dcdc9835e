package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine says where and of what figures are: pairs of a name and a value.
type machine [][2]string

// peers are the modules that ours is held against.
var peers = [...]string{"github.com/containers/image/v5", "go.podman.io/image/v5", "github.com/regclient/regclient"}

// laterRows names rows that were measured later than the rest, and when, and of which commit.
const laterRows = "Measured later"

func (r runner) machine(ctx context.Context, quick bool) machine {
	kind := "full"
	if quick {
		kind = "quick: too little work for figures to rely on"
	}
	m := machine{
		{"Date", time.Now().UTC().Format("2006-01-02 15:04 MST")},
		{"Run", kind},
		{"Commit", r.output(ctx, ".", "git", "describe", "--always", "--dirty")},
		{"CPU", fmt.Sprintf("%s, %d in use", cpu(), runtime.NumCPU())},
		{"Load before", load()},
		{"OS", system()},
		{"Go", r.output(ctx, ".", r.goTool, "env", "GOVERSION")},
		{laterRows, "none"},
	}
	for _, p := range peers {
		m = append(m, [2]string{"Peer " + p, r.output(ctx, pkgPeers, r.goTool, "list", "-m", "-f", "{{.Version}}", p)})
	}
	return append(m, [2]string{"Quoted peers, " + quotedOn, "HyperShift 3ee9615, oc 6b8e30c5, containers/image v5.36.2"})
}

// output returns what a command prints, or says that it is not known.
func (r runner) output(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(r.root, dir)
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// cpu returns the processor's name where the system tells it.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func system() string {
	name := runtime.GOOS + "/" + runtime.GOARCH
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += " " + strings.TrimSpace(string(release))
	}
	return name
}

// busy reports whether other work takes more than half of the processors.
func busy() bool {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	var one float64
	if _, err := fmt.Sscan(string(text), &one); err != nil {
		return false
	}
	return one > float64(runtime.NumCPU())/2
}

// load says how busy the machine was already.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	one, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "unknown"
	}
	return one + " processes ready to run, on average over a minute"
}
