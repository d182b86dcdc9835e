package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// command returns the binary, with an environment of its own.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), filepath.Join(binDir, "mirrorchain"), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir}
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

// wantExit signals a running command and wants its exit code.
func wantExit(t *testing.T, cmd *exec.Cmd, sig os.Signal, want int) {
	t.Helper()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != want {
		t.Errorf("after %v: %v, want exit code %d", sig, err, want)
	}
}

// Ctrl-C ends a lookup that hangs, without a word on stdout.
func TestInterruptLookup(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			reg, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
			if err != nil {
				t.Fatal(err)
			}
			defer reg.Close()
			asked := make(chan struct{})
			once := sync.OnceFunc(func() { close(asked) })
			reg.Fail(testregistry.Match{If: func(testregistry.Request) bool { once(); return true }}, testregistry.Hang())
			cmd, stderr := command(t, "release", "info", "--insecure-registry", reg.Host(), reg.ByTag("a/b", "1").String())
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			wantExit(t, cmd, sig, want)
			// What is known so far is told: who was being asked.
			if stdout.Len() != 0 || !bytes.Contains(stderr.Bytes(), []byte("mirrorchain: interrupted\n")) || !bytes.Contains(stderr.Bytes(), []byte("1. "+reg.ByTag("a/b", "1").String()+"\n")) {
				t.Errorf("stdout %q, stderr %q", &stdout, stderr)
			}
		})
	}
}

// Ctrl-C ends a check with what is known so far.
func TestInterruptCheck(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	release := testpayload.Release{Components: 12}
	digest := reg.Push("a/release", "", testpayload.Must(release.Image()))
	reg.Push("a/ocp", "", release.ComponentImage("cli"))
	hang := reg.ByDigest("a/ocp", release.ComponentDigest("etcd")).Digest()
	reg.Fail(testregistry.Match{Method: "HEAD", If: func(r testregistry.Request) bool {
		if !strings.HasSuffix(r.Path, hang) {
			return false
		}
		once()
		return true
	}}, testregistry.Hang())
	cmd, stderr := command(t, "release", "check", "-s", "env:MIRRORS", "--insecure-registry", reg.Host(), "--per-registry", "1", "-o", "json", "quay.io/release@"+digest)
	policy := fmt.Sprintf("quay.io/release=%[1]s/a/release,quay.io/openshift-release-dev/ocp-v4.0-art-dev=%[1]s/a/ocp", reg.Host())
	cmd.Env = append(cmd.Env, "MIRRORS="+policy)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	wantExit(t, cmd, os.Interrupt, 130)
	var report struct {
		Complete bool
		Summary  struct{ Images, Found, Missing, NotAsked int }
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s\n%s", err, &stdout, stderr)
	}
	s := report.Summary
	if report.Complete || s.Found == 0 || s.NotAsked == 0 || s.Found+s.Missing+s.NotAsked != s.Images {
		t.Errorf("%+v", report)
	}
	if !bytes.Contains(stderr.Bytes(), []byte("interrupted")) {
		t.Errorf("stderr %q", stderr)
	}
}

// Ctrl-C while files are being written leaves none of them, and nothing else, behind.
func TestInterruptExtract(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	reg.Push("a/release", "1", testpayload.Must(testpayload.Release{Components: 12}.Image()))
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	reg.Fail(testregistry.Match{Kind: testregistry.Blob, If: func(testregistry.Request) bool { once(); return true }}, testregistry.Hang())
	cmd, stderr := command(t, "image", "files", "--insecure-registry", reg.Host(), "--to", "out", reg.ByTag("a/release", "1").String(), "release-manifests/**")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	wantExit(t, cmd, os.Interrupt, 130)
	remaining, err := os.ReadDir(filepath.Join(cmd.Dir, "out"))
	if err != nil || len(remaining) > 0 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("left behind %v, %v, stderr %q", remaining, err, stderr)
	}
}

// A check that runs out of time tells what is known so far, and that it is not all.
func TestTimeoutCheck(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	release := testpayload.Release{Components: 12}
	digest := reg.Push("a/release", "", testpayload.Must(release.Image()))
	var checking atomic.Bool // the release is looked up by GET, its images are asked for by HEAD
	reg.Fail(testregistry.Match{Method: "HEAD", If: func(testregistry.Request) bool {
		checking.Store(true)
		return true
	}}, testregistry.Hang())
	policy := fmt.Sprintf("quay.io/release=%[1]s/a/release,quay.io/openshift-release-dev/ocp-v4.0-art-dev=%[1]s/a/ocp", reg.Host())

	for format, want := range map[string]string{
		"text":  "Release 4.17.3: 0 of 14 images are available, 14 not asked for yet\n",
		"json":  `"notAsked": 14`,
		"junit": `failures="0" errors="0" skipped="14"`,
	} {
		t.Run(format, func(t *testing.T) {
			checking.Store(false)
			// The time is for the lookup of the release too. A machine on which that takes
			// all of it gets more.
			for timeout := time.Second; !checking.Load(); timeout *= 2 {
				cmd, stderr := command(t, "release", "check", "-s", "env:MIRRORS", "--insecure-registry", reg.Host(), "--timeout", timeout.String(), "-o", format, "quay.io/release@"+digest)
				cmd.Env = append(cmd.Env, "MIRRORS="+policy)
				stdout, err := cmd.Output()
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 5 {
					t.Fatalf("%v, want exit code 5\n%s%s", err, stdout, stderr)
				}
				if !checking.Load() {
					continue
				}
				if !bytes.Contains(stdout, []byte(want)) || format == "json" && !bytes.Contains(stdout, []byte(`"complete": false`)) {
					t.Errorf("got %s, want %s", stdout, want)
				}
				if want := fmt.Sprintf("warning: --timeout %s ran out: 14 images of 14 not asked for yet\n", timeout); !strings.Contains(stderr.String(), want) {
					t.Errorf("stderr %q, want %q", stderr, want)
				}
			}
		})
	}
}

// Ctrl-C ends a run that waits for a policy or for credentials from a pipe.
func TestInterruptReading(t *testing.T) {
	for name, args := range map[string][]string{
		"source":      {"resolve", "-s", "pipe", "quay.io/a/b"},
		"credentials": {"release", "info", "-a", "pipe", "quay.io/a/b"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, stderr := command(t, args...)
			pipe := filepath.Join(cmd.Dir, "pipe")
			if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when it is being read
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			wantExit(t, cmd, os.Interrupt, 130)
			if !bytes.Contains(stderr.Bytes(), []byte("interrupted")) {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
	t.Run("stdin", func(t *testing.T) {
		cmd, _ := command(t, "resolve", "-s", "-", "quay.io/a/b")
		w, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("#\n"), 1<<20)); err != nil { // more than a pipe holds: it is being read
			t.Fatal(err)
		}
		wantExit(t, cmd, os.Interrupt, 130)
	})
}

// head takes three lines and goes; the demo cleans up all the same.
func TestDemoWithoutReader(t *testing.T) {
	cmd, stderr := command(t, "demo")
	r, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 141 || stderr.Len() != 0 {
		t.Errorf("%v, stderr %q; want exit code 141 and silence", err, stderr)
	}
	if remaining := remains(t, cmd.Dir); len(remaining) != 0 {
		t.Errorf("left behind: %q", remaining)
	}
}

// Ctrl-C in the middle of the demo leaves nothing behind.
func TestInterruptDemo(t *testing.T) {
	cmd, _ := command(t, "demo")
	// Its first words come when its files are written and its registries run. What
	// is left takes longer than a signal: it waits between retries.
	r, w := io.Pipe()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if remaining := remains(t, cmd.Dir); len(remaining) != 1 {
		t.Errorf("while it runs there are %q; want its one directory", remaining)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with cmd.Wait's close of w
	wantExit(t, cmd, os.Interrupt, 130)
	_ = w.Close()
	if remaining := remains(t, cmd.Dir); len(remaining) != 0 {
		t.Errorf("left behind: %q", remaining)
	}
}

func remains(t *testing.T, dir string) []string {
	t.Helper()
	remaining, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return remaining
}
