package checkreport

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func result(name string, n int, failed ...provider.Attempt) Result {
	r := Result{Names: []string{name}}
	r.Name, r.Image = name, imageref.MustParse(fmt.Sprintf("quay.io/ocp/art@sha256:%064x", n))
	if len(failed) > 0 {
		r.Err = &chain.Error{Image: r.Image, Attempts: failed}
	}
	return r
}

func attempt(at string, n int, class provider.Class, why string) provider.Attempt {
	ref := imageref.MustParse(fmt.Sprintf("%s@sha256:%064x", at, n))
	return provider.Attempt{Ref: ref, Err: &provider.Error{Ref: ref, Class: class, Err: errors.New(why)}}
}

// What failed alike is told once, however many images it is.
func TestGroups(t *testing.T) {
	var results []Result
	for i := range 190 {
		results = append(results, result(fmt.Sprintf("component-%03d", i), i, attempt("mirror.corp/art", i, provider.ClassNotFound, "manifest unknown")))
	}
	results = append(results,
		result("there", 1000),
		result("away-1", 1001, attempt("mirror.corp/art", 1001, provider.ClassUnreachable, "connection refused")),
		result("away-2", 1002, attempt("mirror.corp/art", 1002, provider.ClassUnreachable, "connection refused")),
		result("odd", 1003, attempt("mirror.corp/odd", 1003, provider.ClassNotFound, "manifest unknown")),
	)
	r := New(Config{Releases: []Release{{Version: "4.17.3"}}}, results)
	var out bytes.Buffer
	r.Text(&out, table.Look{})
	text := out.String()
	if n := strings.Count(text, "\n"); n > len(results)+20 {
		t.Errorf("%d lines for %d images", n, len(results))
	}
	for want, times := range map[string]int{"1. mirror.corp/art\n": 2, "1. mirror.corp/odd\n": 1, "connection refused": 1, "manifest unknown": 2, "component-189  quay.io/ocp/art@sha256:": 1, "there": 0} {
		if got := strings.Count(text, want); got != times {
			t.Errorf("%q %d times, want %d:\n%s", want, got, times, text)
		}
	}
	if !strings.HasPrefix(text, "Release 4.17.3: 1 of 194 images are available, 191 missing, 2 could not be asked for\n") {
		t.Errorf("%.200s", text)
	}
}

// The code is 3 where an image is missing, else that of the worst failure.
func TestCode(t *testing.T) {
	there := result("there", 1)
	missing := result("missing", 2, attempt("a.corp/b", 2, provider.ClassNotFound, "x"))
	away := result("away", 3, attempt("a.corp/b", 3, provider.ClassUnreachable, "x"))
	denied := result("denied", 4, attempt("a.corp/b", 4, provider.ClassUnauthorized, "x"))
	late := Result{Names: []string{"late"}, Result: check.Result{Err: errors.New("x")}, Unfinished: true}
	part := result("part", 5)
	part.Lack = &Lack{At: part.Image, Err: attempt("a.corp/b", 5, provider.ClassNotFound, "x").Err}
	broken := result("broken", 6)
	broken.Lack = &Lack{At: broken.Image, Err: attempt("a.corp/b", 6, provider.ClassServer, "x").Err}
	for i, c := range []struct {
		results []Result
		want    int
	}{
		{[]Result{there}, failure.ExitOK},
		{[]Result{there, missing, away}, failure.ExitNotFound},
		{[]Result{there, part, away}, failure.ExitNotFound},
		{[]Result{away, denied}, failure.ExitUnauthorized},
		{[]Result{there, broken}, failure.ExitUnreachable},
		{[]Result{there, late}, failure.ExitUnreachable},
		{[]Result{late, missing}, failure.ExitNotFound},
	} {
		r := New(Config{}, c.results)
		if got := r.Code(c.results); got != c.want {
			t.Errorf("%d: %d, want %d", i, got, c.want)
		}
		if r.Complete == (r.Summary.NotAsked > 0) || r.Summary.Found+r.Summary.Missing+r.Summary.Failed+r.Summary.NotAsked != len(c.results) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}
