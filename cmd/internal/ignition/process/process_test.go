package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	proctest "github.com/mirrorchain/mirrorchain/internal/test/process"
)

// The test program is its own child: MODE says as what.
func TestMain(m *testing.M) {
	switch os.Getenv("MODE") {
	case "":
		goleak.VerifyTestMain(m)
	case "print":
		fmt.Println(strings.Join(os.Args[1:], "|"))
		for _, e := range os.Environ() {
			fmt.Fprintln(os.Stderr, e)
		}
	case "fail":
		fmt.Println("why it failed")
		os.Exit(3)
	case "flood":
		line := strings.Repeat("x", 99) + "\n"
		for range 10_000 {
			_, _ = io.WriteString(os.Stdout, line)
		}
		fmt.Println("the end")
		os.Exit(1)
	case "hang":
		connect()
		if os.Getenv("READY") != "" {
			_ = os.NewFile(3, "ready").Close()
		}
		select {}
	case "server": // runs a program that hangs, and waits for it
		_ = process.Run(context.Background(), process.Spec{Path: os.Args[0], Env: []string{"MODE=hang", "ADDR=" + os.Getenv("ADDR")}})
	case "reaping-server": // runs a program that leaves a daemon behind, and goes on
		reaper, err := process.NewReaper()
		if err != nil {
			panic(err)
		}
		err = process.Run(context.Background(), process.Spec{
			Path: os.Args[0], Env: []string{"MODE=daemon", "ADDR=" + os.Getenv("ADDR")}, Reaper: reaper,
		})
		if err != nil {
			panic(err)
		}
		connect()
		select {}
	case "parent", "orphan", "daemon": // starts a child that hangs
		child := exec.Command(os.Args[0])
		child.Env = []string{"MODE=hang", "READY=3", "ADDR=" + os.Getenv("ADDR")}
		child.Stdout = os.Stdout
		if os.Getenv("MODE") == "daemon" {
			child.SysProcAttr = newSession()
		}
		ready, closedByChild, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		child.ExtraFiles = []*os.File{closedByChild}
		if err := child.Start(); err != nil {
			panic(err)
		}
		_ = closedByChild.Close()
		_, _ = io.ReadAll(ready) // until the child is connected
		connect()
		if os.Getenv("MODE") == "parent" {
			select {}
		}
	}
}

// connect holds a connection to the test for as long as the process lives.
func connect() {
	c, err := net.Dial("tcp", os.Getenv("ADDR"))
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(c, os.Getpid())
	kept = c
}

var kept net.Conn

func spec(t *testing.T, mode string, args ...string) process.Spec {
	t.Helper()
	s := process.Spec{Path: os.Args[0], Args: args, Env: []string{"MODE=" + mode}}
	if testing.CoverMode() != "" { // a child that does not know where to complains on its output
		s.Env = append(s.Env, "GOCOVERDIR="+t.TempDir())
	}
	return s
}

func TestRun(t *testing.T) {
	p, err := process.Start(t.Context(), spec(t, "print", "a b", "$(c)"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	if got := p.Output(); !strings.Contains(got, "a b|$(c)\n") || !strings.Contains(got, "MODE=print\n") {
		t.Errorf("output %q", got)
	}
	if strings.Contains(p.Output(), "PATH=") {
		t.Error("it has our environment")
	}
	p.Stop() // does no harm
}

func TestFailure(t *testing.T) {
	err := process.Run(t.Context(), spec(t, "fail"))
	e, ok := errors.AsType[*process.Error](err)
	if !ok || e.Output != "why it failed\n" || e.Limit != 0 {
		t.Fatalf("got %#v", err)
	}
	if x, ok := errors.AsType[*exec.ExitError](err); !ok || x.ExitCode() != 3 {
		t.Errorf("no exit code in %v", err)
	}
	if strings.Contains(err.Error(), "why it failed") {
		t.Errorf("the text repeats output: %v", err)
	}
	if err := process.Run(t.Context(), process.Spec{Path: "/does/not/exist"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	s := spec(t, "flood")
	s.Output = 200
	e, ok := errors.AsType[*process.Error](process.Run(t.Context(), s))
	if !ok || len(e.Output) > 200+len("[...]") || !strings.HasSuffix(e.Output, "\nthe end\n") || !strings.HasPrefix(e.Output, "[...]") {
		t.Errorf("got %d bytes, %q", len(e.Output), e.Output)
	}
}

func TestLimit(t *testing.T) {
	w, s := proctest.Watch(t), spec(t, "hang")
	s.Env, s.Limit = append(s.Env, "ADDR="+w.Addr().String()), 500*time.Millisecond
	p, err := process.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	e, ok := errors.AsType[*process.Error](p.Err())
	if !ok || e.Limit != s.Limit || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("got %#v", p.Err())
	}
}

// Whatever ends a program ends its children too.
func TestGroup(t *testing.T) {
	for name, end := range map[string]func(*process.Process, context.CancelFunc){
		"stop":   func(p *process.Process, _ context.CancelFunc) { p.Stop() },
		"cancel": func(p *process.Process, cancel context.CancelFunc) { cancel(); <-p.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			w, s := proctest.Watch(t), spec(t, "parent")
			s.Env = append(s.Env, "ADDR="+w.Addr().String())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := process.Start(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			first, second := w.Come(), w.Come()
			end(p, cancel)
			w.Gone(first)
			w.Gone(second)
			if !errors.Is(p.Err(), context.Canceled) {
				t.Errorf("got %v", p.Err())
			}
		})
	}
}

func TestOrphan(t *testing.T) {
	w, s := proctest.Watch(t), spec(t, "orphan")
	s.Env = append(s.Env, "ADDR="+w.Addr().String())
	p, err := process.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	first, second := w.Come(), w.Come()
	<-p.Done()
	if p.Err() != nil {
		t.Errorf("a program that ended well and left a child: %v", p.Err())
	}
	w.Gone(first)
	w.Gone(second)
}
