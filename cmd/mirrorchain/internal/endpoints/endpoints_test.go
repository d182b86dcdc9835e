package endpoints

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

var (
	someImage = imageref.MustParse("quay.io/a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	refused   = &provider.Error{Op: "reading the manifest", Ref: someImage, Class: provider.ClassUnreachable, Err: fmt.Errorf("dial tcp: %w", syscall.ECONNREFUSED)}
)

// The cause in a few words, which never are those of the class once more.
func TestWhy(t *testing.T) {
	for want, err := range map[string]error{
		"connection refused":          refused,
		"HTTP 404":                    &provider.Error{Ref: someImage, Class: provider.ClassNotFound, Status: 404},
		"":                            &provider.Error{Ref: someImage, Class: provider.ClassTimeout},
		"overloaded (HTTP 503)":       &provider.Error{Class: provider.ClassServer, Status: 503, Err: errors.New("overloaded")},
		"no header: deadline reached": &provider.Error{Class: provider.ClassTimeout, Err: stopped{}},
		"blocked by quay.io":          &provider.Error{Class: provider.ClassForbidden, Err: errors.New("forbidden by policy: blocked by quay.io")},
	} {
		if got := Why(provider.Attempt{Ref: someImage, Err: err}); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

type stopped struct{}

func (stopped) Error() string { return "no header: deadline reached" }
func (stopped) Unwrap() error { return context.DeadlineExceeded }

func TestTables(t *testing.T) {
	var out strings.Builder
	asked := Asked(table.Look{})
	asked.Attempts([]provider.Attempt{
		{Ref: someImage, Err: refused, Took: 2 * time.Millisecond}, {Ref: someImage, Err: refused, Took: 2 * time.Millisecond},
		{Ref: someImage, Err: &provider.Error{Class: provider.ClassForbidden, Err: errors.New("forbidden by policy: no")}},
		{Ref: someImage, Took: 1234 * time.Millisecond},
	})
	asked.Write(&out)
	planned := Planned(table.Look{})
	planned.Candidate(someImage, true, true, "idms.yaml:7")
	planned.Refused(policy.Refusal{Ref: someImage, By: "quay.io/a/b", Origin: "idms.yaml:7"})
	planned.Refused(policy.Refusal{Ref: someImage, By: "quay.io", Origin: "--blocked-registry"})
	planned.Write(&out)
	Planned(table.Look{}).Write(&out)
	const want = `#  ENDPOINT     RESULT          TIME  WHY
1  quay.io/a/b  ✗ unreachable   2 ms  connection refused (2 times)
-  quay.io/a/b  – blocked             no
3  quay.io/a/b  ✓ found        1.2 s
#  ENDPOINT     KIND              FROM
1  quay.io/a/b  mirror, insecure  idms.yaml:7
-  quay.io/a/b  – blocked         idms.yaml:7
-  quay.io/a/b  – blocked         quay.io (--blocked-registry)
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
