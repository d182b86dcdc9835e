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
// templates, and openshift/api's render.
type Real struct {
	// Operator, Controller and Server are the programs, and OSStreams is a controller that
	// also inspects the images of the operating system.
	Operator, Controller, Server, OSStreams []byte
	// Render renders feature gates.
	Render []byte

	templates []testpayload.Entry
	validate  string // the program that reads an Ignition config
}

// RealVersion is that of the release.
const RealVersion = "4.19.0"

// Components are further ones that machine-config-operator wants a release to have.
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
		to           *[]byte
	}{
		{servers.MachineConfig, "machine-config-operator", &r.Operator},
		{servers.MachineConfig, "machine-config-controller", &r.Controller},
		{servers.MachineConfig, "machine-config-server", &r.Server},
		{servers.MachineConfig, "osstreams", &r.OSStreams},
		{servers.MachineConfig, "ignition-validate", nil},
		{servers.Render, "render", &r.Render},
	} {
		dir, err := servers.Find(p.module)
		if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
			t.Skip(err)
		}
		path := filepath.Join(dir, p.name)
		switch {
		case err != nil:
		case p.to == nil:
			r.validate = path
		default:
			*p.to, err = os.ReadFile(path)
		}
		if err != nil {
			t.Fatal(err)
		}
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
func (r *Real) Release(source string) Release {
	return Release{
		Version: RealVersion, Source: source, Nowhere: r.Components(),
		Components: map[string][]testpayload.Entry{
			"machine-config-operator": append([]testpayload.Entry{
				testpayload.File("usr/lib/os-release", "VERSION_ID=\"9.4\"\n"),
				testpayload.Executable("usr/bin/machine-config-operator", string(r.Operator)),
				testpayload.Executable("usr/bin/machine-config-controller", string(r.Controller)),
				testpayload.Executable("usr/bin/machine-config-server", string(r.Server)),
			}, r.templates...),
			"cluster-config-api":      {testpayload.Executable("usr/bin/render", string(r.Render))},
			"cluster-config-operator": nil,
		},
	}
}

// Padded returns r with programs of at least size bytes.
func (r *Real) Padded(size int) *Real {
	p := *r
	for _, program := range []*[]byte{&p.Operator, &p.Controller, &p.Server} {
		if n := size - len(*program); n > 0 { // what follows an ELF file's sections is not loaded
			*program = append((*program)[:len(*program):len(*program)], make([]byte, n)...)
		}
	}
	return &p
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
