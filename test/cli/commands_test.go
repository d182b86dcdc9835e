package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits runs a command and wants exactly that exit code: exits 5 mirrorchain ...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if args[1] == "mirrorchain" {
		if err := checkSchema(args[2:], got, ts.ReadFile("stdout")); err != nil {
			ts.Fatalf("not as in its schema: %v", err)
		}
	}
}

// expand writes FILE.in with its environment variables filled in to FILE.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]+".in"), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// plugin links names to the program, in a folder that is searched for programs.
func plugin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: plugin NAME...")
	}
	folder := ts.MkAbs("plugins")
	ts.Check(os.MkdirAll(folder, 0o700))
	for _, name := range args {
		ts.Check(os.Symlink(filepath.Join(binDir, "mirrorchain"), filepath.Join(folder, name)))
	}
	ts.Setenv("PATH", folder+string(os.PathListSeparator)+ts.Getenv("PATH"))
}

// jsonCmd compares one value of the JSON on stdout: json .candidates.0.image WANT.
// ".len" is the length of a list or object, "" a missing value or null.
func jsonCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] json PATH WANT")
	}
	var v any
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("stdout is no JSON: %v", err)
	}
	if d.More() {
		ts.Fatalf("stdout holds more than one JSON value")
	}
	got, err := walk(v, strings.Split(strings.TrimPrefix(args[0], "."), "."))
	ts.Check(err)
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q (negated: %v)", args[0], got, args[1], neg)
	}
}

func walk(v any, path []string) (string, error) {
	for _, p := range path {
		switch c := v.(type) {
		case []any:
			if p == "len" {
				return strconv.Itoa(len(c)), nil
			}
			i, err := strconv.Atoi(p)
			if err != nil || i >= len(c) {
				return "", fmt.Errorf("no element %q in a list of %d", p, len(c))
			}
			v = c[i]
		case map[string]any:
			if p == "len" {
				return strconv.Itoa(len(c)), nil
			}
			v = c[p]
		case nil:
			return "", fmt.Errorf("null has no %q", p)
		default:
			return "", fmt.Errorf("%v has no %q", v, p)
		}
	}
	switch c := v.(type) {
	case nil:
		return "", nil
	case string:
		return c, nil
	case []any, map[string]any:
		b, err := json.Marshal(c)
		return string(b), err
	}
	return fmt.Sprint(v), nil
}
