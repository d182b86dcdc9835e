package machineconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/servers"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Real are machine-config-operator's programs themselves, built from its module, with its
// templates, and openshift/api's render. Programs are the paths of their files: they stay on
// disk, and out of the memory of the tests.
type Real struct {
	// Operator, Controller and Server are the programs, and OSStreams is a controller that
	// also inspects the images of the operating system.
	Operator, Controller, Server, OSStreams string
	// Render renders feature gates.
	Render string
	// Least is how many bytes Operator, Controller and Server have at least in a release.
	// What they lack is zeros.
	Least int64

	templates []testpayload.Entry
	validate  string // the program that reads an Ignition config
}

// RealVersion is that of the release.
const RealVersion = "4.19.0"

// Components returns further ones that machine-config-operator wants a release to have.
func (r *Real) Components() []string {
	return []string{"keepalived-ipfailover", "coredns", "baremetal-runtimecfg", "oauth-proxy", "kube-rbac-proxy", "pod", "haproxy-router",
		"rhel-coreos", "rhel-coreos-extensions"}
}

// NewReal finds the programs, and skips the test where servers were not built and need not be.
func NewReal(t testing.TB) *Real {
	t.Helper()
	r := new(Real)
	for _, p := range []struct {
		module, name string
		to           *string
	}{
		{servers.MachineConfig, "machine-config-operator", &r.Operator},
		{servers.MachineConfig, "machine-config-controller", &r.Controller},
		{servers.MachineConfig, "machine-config-server", &r.Server},
		{servers.MachineConfig, "osstreams", &r.OSStreams},
		{servers.MachineConfig, "ignition-validate", &r.validate},
		{servers.Render, "render", &r.Render},
	} {
		dir, err := servers.Find(p.module)
		if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		*p.to = filepath.Join(dir, p.name)
	}
	var err error
	if r.templates, err = templates(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// templates returns those of machine-config-operator's module, as its image has them.
func templates(ctx context.Context) (es []testpayload.Entry, err error) {
	const module = "github.com/openshift/machine-config-operator"
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "test", servers.MachineConfig)
	if out, err = cmd.Output(); err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return nil, err
	}
	root := os.DirFS(filepath.Join(downloaded.Dir, "templates"))
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		es = append(es, testpayload.File("etc/mcc/templates/"+name, string(b)))
		return err
	})
	return es, err
}

// Release returns a release of these programs.
func (r *Real) Release(t testing.TB, source string) Release {
	t.Helper()
	program := func(name, file string, least int64) testpayload.Entry {
		e, err := testpayload.ExecutableFile(name, file)
		if err != nil {
			t.Fatal(err)
		}
		e.Zeros = max(0, least-e.Size()) // what follows an ELF file's sections is not loaded
		return e
	}
	return Release{
		Version: RealVersion, Source: source, Nowhere: r.Components(),
		Components: map[string][]testpayload.Entry{
			"machine-config-operator": append([]testpayload.Entry{
				testpayload.File("usr/lib/os-release", "VERSION_ID=\"9.4\"\n"),
				program("usr/bin/machine-config-operator", r.Operator, r.Least),
				program("usr/bin/machine-config-controller", r.Controller, r.Least),
				program("usr/bin/machine-config-server", r.Server, r.Least),
			}, r.templates...),
			"cluster-config-api":      {program("usr/bin/render", r.Render, 0)},
			"cluster-config-operator": nil,
		},
	}
}

// Validate has Ignition's own parser judge a config.
func (r *Real) Validate(ctx context.Context, ignition []byte) error {
	cmd := exec.CommandContext(ctx, r.validate)
	cmd.Stdin = strings.NewReader(string(ignition))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
