// Package servers builds the real servers that tests run against and finds them
// again: a Kubernetes API server, etcd and kubectl (module test/controlplane),
// the distribution project's registry (module test/distribution), and the programs that
// make the configuration of nodes (modules test/machineconfig and test/render). Each is a module
// of its own, so that nothing they need enters the module that ships, and so that
// no prebuilt binary is needed.
//
// They are built once, into a folder named for what went into them, and kept in
// .cache/servers of the checkout, which git ignores. [EnvDir] names another place.
//
// The package starts nothing; internal/test/cluster does.
package servers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// EnvDir is the environment variable that names the folder which holds the
// servers. Where it is set, servers that are not there are an error; where not,
// tests that need them are skipped. make test sets it.
const EnvDir = "MIRRORCHAIN_TEST_SERVERS"

// The modules that servers are built from, folders of test/.
const (
	ControlPlane = "controlplane" // kube-apiserver, etcd, kubectl
	Distribution = "distribution" // registry
	// machine-config-operator, -controller and -server, osstreams, ignition-validate
	MachineConfig = "machineconfig"
	Render        = "render" // of openshift/api, which needs other versions
)

// All returns the names of all modules.
func All() []string { return []string{ControlPlane, Distribution, MachineConfig, Render} }

// ErrNotBuilt says that servers were never built, or that their versions have
// changed since.
var ErrNotBuilt = errors.New("not built; run make servers")

// Find returns the folder that holds a module's binaries, or [ErrNotBuilt].
func Find(module string) (dir string, err error) {
	src, err := source(module)
	if err != nil {
		return "", err
	}
	if dir, err = target(src, module); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%s: %w", dir, ErrNotBuilt)
	}
	return dir, nil
}

// source finds the module's folder in the checkout that holds the working directory.
func source(module string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		src := filepath.Join(dir, "test", module)
		if _, err := os.Stat(filepath.Join(src, "go.mod")); err == nil {
			return src, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no folder test/%s above the working directory; run this inside the checkout", module)
		}
		dir = up
	}
}

// target returns where the binaries of the module in src belong.
func target(src, module string) (string, error) {
	root := os.Getenv(EnvDir)
	if root == "" {
		root = filepath.Join(src, "..", "..", ".cache", "servers")
	}
	version, err := hash(src)
	if err != nil {
		return "", err
	}
	return filepath.Join(root, module+"-"+version), nil
}

// hash names what goes into a build: the module's files, the compiler, the
// platform.
func hash(src string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	err := filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n%s", filepath.ToSlash(name), len(data), data)
		return nil
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
