package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Programs of a current release have 315 MB: they are more than one call of Files takes.
// They never are in the server's memory, and each blob is read once.
func largePrograms(t *testing.T, c *cluster.Cluster, kube kubernetes.Interface, bin string, program []byte) {
	peak := peakOf(t)
	const size, most = 120 << 20, 64 << 20
	padded := append(bytes.Clone(program), make([]byte, size-len(program))...) // an ELF file may be followed by anything
	var programs []testpayload.Entry
	for _, name := range machineconfig.Programs() {
		programs = append(programs, testpayload.Entry{Name: name, Body: padded, Mode: 0o755})
	}
	source, mirror := startRegistry(t), startRegistry(t)
	images, err := machineconfig.Release{Source: source.Host(), Program: program, Components: map[string][]testpayload.Entry{
		"machine-config-operator": machineconfig.OperatorImage("9.4", programs...),
	}}.Images()
	if err != nil {
		t.Fatal(err)
	}
	images.PushTo(mirror.Push)
	source.Down()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, mirror.CA().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, c, bin, "large", []string{"--trust-bundle", ca}, []string{overrides(source, mirror)})
	cluster.Await(t, "the server", func(ctx context.Context) error {
		status, body, err := s.get(ctx, "https://"+s.addr+"/readyz")
		if err == nil && status != 200 {
			err = fmt.Errorf("%d %q", status, body)
		}
		return err
	})
	idle := peak(s.Pid())

	objects(t, kube, "large", images.Pullspec)
	cluster.Await(t, "a payload", func(ctx context.Context) error {
		body, err := payload(ctx, s.roots, s.addr)
		if err == nil {
			_, err = machineconfig.Decode(body)
		}
		return err
	})
	if above := peak(s.Pid()) - idle; above > most {
		t.Errorf("a cold payload takes %d MiB above the %d MiB of an idle server; want %d at most", above>>20, idle>>20, most>>20)
	} else {
		t.Logf("a cold payload takes %d MiB above the %d MiB of an idle server", above>>20, idle>>20)
	}
	seen := map[string]int{}
	for _, q := range mirror.Requests(testregistry.Match{Kind: testregistry.Blob}) {
		if seen[q.Reference]++; seen[q.Reference] > 1 {
			t.Errorf("blob %s is asked for %d times", q.Reference, seen[q.Reference])
		}
	}
	if err := s.Terminate(t.Context()); err != nil || s.ExitCode() != 0 {
		t.Errorf("it ended with %d, %v", s.ExitCode(), err)
	}
}

func startRegistry(t *testing.T) *testregistry.Registry {
	t.Helper()
	r, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// peakOf returns what reads the most memory that a process had at once so far, from
// proc_pid_status(5). The test is skipped where there is no such file.
func peakOf(t *testing.T) func(pid int) int64 {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc here to read memory from")
	}
	return func(pid int) int64 {
		t.Helper()
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return kib << 10
			}
		}
		t.Fatal("/proc/PID/status has no VmHWM")
		return 0
	}
}
