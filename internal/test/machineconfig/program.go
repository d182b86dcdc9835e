package machineconfig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Build builds the program that stands in for those of a release, for this machine.
// It needs the go command, and a working directory inside the module.
func Build(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out,
		"github.com/mirrorchain/mirrorchain/internal/test/machineconfig/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the stand-in: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}

// Executables returns program under each of names: one file and links to it.
func Executables(program []byte, names ...string) []testpayload.Entry {
	es := []testpayload.Entry{{Name: names[0], Body: program, Mode: 0o755}}
	for _, n := range names[1:] {
		es = append(es, testpayload.HardLink(n, names[0]))
	}
	return es
}

// OperatorImage returns what the machine-config-operator image holds beside its programs,
// where it is built on RHEL system, and extra.
func OperatorImage(system string, extra ...testpayload.Entry) []testpayload.Entry {
	return append([]testpayload.Entry{
		testpayload.File("usr/lib/os-release", "NAME=\"Red Hat Enterprise Linux\"\nVERSION_ID=\""+system+"\"\n"),
		testpayload.File("etc/mcc/templates/master/00.yaml", "a template"),
		testpayload.File("etc/mcc/templates/worker/deep/01.yaml", "another"),
	}, extra...)
}

// Programs returns the names of the programs in the machine-config-operator image.
func Programs() []string {
	return []string{"usr/bin/machine-config-operator", "usr/bin/machine-config-controller", "usr/bin/machine-config-server"}
}
