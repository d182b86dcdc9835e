// Package e2e runs the operators as they run on a cluster, one after the other as
// each starts the next, against a real API server and real registries, and looks at
// what arrives at a node: nothing in between is a stand-in, but for what other
// controllers of HyperShift would do, the containers (package kubelet says how), and
// the programs of the release (package machineconfig).
package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/workdir"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// workDir is what lasts as long as the tests; set once, before they run.
var workDir string

func TestMain(m *testing.M) {
	code := workdir.Run(m, "mirrorchain-e2e-", &workDir)
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// programs builds the binaries of the images, once, and returns where they are, by their
// paths in the images.
var programs = sync.OnceValues(func() (map[string]string, error) {
	args := append([]string{"build", "-o", workDir + string(filepath.Separator)}, raceFlags...)
	paths := map[string]string{}
	for _, name := range []string{"hypershift-operator", "control-plane-operator"} {
		args = append(args, "github.com/mirrorchain/mirrorchain/cmd/"+name)
		paths["/usr/bin/"+name] = filepath.Join(workDir, name)
	}
	if text, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the operators: %w\n%s", err, text)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, err
	}
	paths["/bin/bash"] = bash
	return paths, nil
})

// images are two releases, of which the second is the newer one. Their components have
// the names of a real release's; those that the control plane reads have content.
var images = sync.OnceValues(func() (func(source string) [2]machineconfig.Images, error) {
	program, err := machineconfig.Build(context.Background())
	if err != nil {
		return nil, err
	}
	return func(source string) (out [2]machineconfig.Images) {
		var nowhere []string
		for _, name := range (testpayload.Release{}).ComponentNames() {
			if !slices.Contains([]string{"machine-config-operator", "cluster-config-api", "cluster-config-operator"}, name) {
				nowhere = append(nowhere, name)
			}
		}
		for i, version := range []string{"4.17.3", "4.17.4"} {
			var err error
			own := testpayload.File("etc/version", version) // no image is in both
			out[i], err = machineconfig.Release{
				Version: version, Source: source, Program: program, Nowhere: nowhere,
				Components: map[string][]testpayload.Entry{
					"machine-config-operator": machineconfig.OperatorImage("9.4", append(machineconfig.Executables(program, machineconfig.Programs()...), own)...),
					"cluster-config-api":      append(machineconfig.Executables(program, "usr/bin/render"), own),
				},
			}.Images()
			if err != nil {
				panic(err) // nothing that depends on source can be wrong
			}
		}
		return out
	}, nil
})
