package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

// The page follows the sources, and goes away with the program.
func TestServeStatus(t *testing.T) {
	file := filepath.Join(t.TempDir(), "idms.yaml")
	write := func(mirror string) {
		t.Helper()
		text := "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: one}\nspec:\n  imageDigestMirrors:\n  - {source: quay.io/ocp, mirrors: [" + mirror + "]}\n"
		if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write("first.corp/ocp")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, printed := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		sys := System{Stdin: strings.NewReader(""), Stdout: printed, Stderr: &stderr, LookupEnv: func(string) (string, bool) { return "", false }}
		ended <- Run(ctx, sys, []string{"status", "--serve", "-s", file})
		printed.Close()
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v, exit code %d: %s", err, <-ended, &stderr)
	}
	url := strings.TrimSpace(line)
	page := func() (string, error) {
		resp, err := http.Get(url + "?ref=quay.io/ocp/a@sha256:" + strings.Repeat("0", 64))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	has := func(mirror string) bool {
		text, err := page()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(strings.ReplaceAll(text, "<wbr>", ""), mirror)
	}
	if !has("first.corp/ocp") {
		t.Error("the page lacks the mirror")
	}
	write("second.corp/ocp")
	for !has("second.corp/ocp") { // until the test's own limit: the file is watched
	}
	cancel()
	if code := <-ended; code != failure.ExitOK {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if _, err := page(); err == nil {
		t.Error("the page is there after the end")
	}
}
