package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mirrors.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSource(t *testing.T) {
	t.Setenv("EXAMPLE_OVERRIDES", "quay.io/other=mirror.example.com/other")
	path := write(t, "quay.io/org  one.example.com/org  two.example.com/org\n\n")
	var out bytes.Buffer
	err := run(t.Context(), &out, []string{"lines:" + path, "env:EXAMPLE_OVERRIDES", "--", "quay.io/org/app:1", "quay.io/other/app:1"})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"one.example.com/org/app:1", "two.example.com/org/app:1", "quay.io/org/app:1",
		"mirror.example.com/other/app:1", "quay.io/other/app:1", "",
	}, "\n")
	if out.String() != want {
		t.Errorf("it prints\n%s\nwant\n%s", &out, want)
	}
}

func TestSourcePointsAtTheLine(t *testing.T) {
	path := write(t, "quay.io/org one.example.com/org\nquay.io/other\n")
	err := run(t.Context(), new(bytes.Buffer), []string{"lines:" + path})
	e, ok := errors.AsType[*policy.InvalidPolicyError](err)
	if !ok || e.Origin != path+":2" {
		t.Errorf("error %v; want one that points at line 2", err)
	}
}
