package diskcache_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

// The test's own program is the child, with the directory in this variable.
const (
	childDir  = "MIRRORCHAIN_TEST_DISKCACHE"
	childDies = "MIRRORCHAIN_TEST_DISKCACHE_DIES" // at this step of all its writes; "" is never
)

// child uses the cache like any other process, until it is killed, or for so many
// rounds.
func child(dir string) {
	dies, err := strconv.Atoi(os.Getenv(childDies))
	if err != nil {
		dies = -1
	}
	var mu sync.Mutex
	steps := 0
	c, err := diskcache.OpenStepping(diskcache.Config{Dir: dir, MaxBytes: 512 << 10}, func(string) {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps == dies {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {} // Kill does not wait
		}
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	t := &childT{}
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() { use(t, c, g+os.Getpid(), 200) })
	}
	wg.Wait()
	c.Close()
	if t.failed {
		os.Exit(1)
	}
}

// childT fails the child.
type childT struct {
	testing.TB
	failed bool
}

func (t *childT) Errorf(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	t.failed = true
}

func start(t *testing.T, dir, dies string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childDies+"="+dies)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// check opens what a killed process left: it opens, everything in it is right, and it
// can be used.
func check(t *testing.T, dir string) (found int) {
	t.Helper()
	remaining, err := filepath.Glob(filepath.Join(dir, "*", "tmp-*"))
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-2 * time.Minute) // later is now
	for _, name := range remaining {
		_ = os.Chtimes(name, before, before)
	}
	c, f := open(t, dir, 512<<10)
	for _, name := range remaining {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > time.Minute { // else a living process goes on writing it
			t.Errorf("%s was left half-written and is still there", name)
		}
	}
	found = use(t, c, 0, 40) // each blob and each entry once
	if all := f.take(); len(all) > 0 {
		t.Errorf("a killed process left %v", all)
	}
	b, digest := content(1000, 100)
	c.Put(digest, b)
	if _, ok := c.Get(digest); !ok {
		t.Error("what is kept afterwards is not there")
	}
	return found
}

// R11: killed at each step of the first writes, that of the key included.
func TestKilledAtEachStep(t *testing.T) {
	const steps = 28 // of about 4 for each write
	found := 0
	for n := 1; n <= steps; n++ {
		dir := t.TempDir()
		cmd, out := start(t, dir, fmt.Sprint(n))
		for out.Scan() {
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("step %d: the child was not killed: %v", n, err)
		}
		found += check(t, dir)
	}
	t.Logf("%d processes killed, %d blobs and entries found and right", steps, found)
	if found == 0 {
		t.Error("nothing ever survived: the test proves nothing")
	}
}

// R11: killed at any moment, again and again, over one directory that others use at
// the same time.
func TestKilledAtAnyMoment(t *testing.T) {
	const rounds = 20
	dir := t.TempDir()
	survivor, said := start(t, dir, "")
	found, killed := 0, 0
	for n := range rounds {
		cmd, out := start(t, dir, fmt.Sprint(50+37*n%400))
		other, more := start(t, dir, "")
		if !more.Scan() || more.Text() != "ready" {
			t.Fatalf("the child says %q", more.Text())
		}
		if err := other.Process.Kill(); err != nil { // wherever it is now
			t.Fatal(err)
		}
		for out.Scan() {
		}
		for _, c := range []*exec.Cmd{cmd, other} {
			if err := c.Wait(); err != nil && c.ProcessState.Exited() {
				t.Fatalf("round %d: %v", n, err)
			} else if err != nil {
				killed++
			}
		}
		found += check(t, dir)
	}
	for said.Scan() {
		if said.Text() != "ready" {
			t.Error(said.Text())
		}
	}
	if err := survivor.Wait(); err != nil {
		t.Errorf("the process that was not killed: %v", err)
	}
	t.Logf("%d processes killed, %d blobs and entries found and right", killed, found)
	if killed < rounds {
		t.Errorf("%d processes killed; want at least %d", killed, rounds)
	}
}
