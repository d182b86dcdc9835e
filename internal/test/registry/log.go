package registry

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Request is one line of the access log.
type Request struct {
	// Method, Path with its query, and Status are HTTP's.
	Method, Path string
	Status       int
	// Bytes of the answer's body.
	Bytes int64
	// Agent is what the client calls itself.
	Agent string
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s %d %d %q", r.Method, r.Path, r.Status, r.Bytes, r.Agent)
}

// Pulled reports whether the request got content: a manifest or a blob, with a body.
func (r Request) Pulled() bool {
	return r.Method == "GET" && r.Status == 200 && (strings.Contains(r.Path, "/manifests/") || strings.Contains(r.Path, "/blobs/"))
}

// combined is a line in Apache's Combined Log Format.
var combined = regexp.MustCompile(`^\S+ - \S+ \[[^\]]+\] "(\S+) (\S+) [^"]*" (\d+) (\d+) "[^"]*" "([^"]*)"$`)

// Requests returns those that the registry has answered, in the order of its log. It
// writes the log when an answer has gone out, so the last answers that a client has may
// be missing for a moment.
func (r *Registry) Requests(t testing.TB) []Request {
	t.Helper()
	out, err := os.ReadFile(r.file("log"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Request
	for line := range bytes.Lines(out) {
		m := combined.FindSubmatch(bytes.TrimSpace(line))
		if m == nil {
			continue // of the other log
		}
		status, err := strconv.Atoi(string(m[3]))
		if err != nil {
			t.Fatal(err)
		}
		size, err := strconv.ParseInt(string(m[4]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Request{Method: string(m[1]), Path: string(m[2]), Status: status, Bytes: size, Agent: string(m[5])})
	}
	return all
}

// Tokens returns how many tokens the registry's token server has issued.
func (r *Registry) Tokens() int {
	if r.tokens == nil {
		return 0
	}
	r.tokens.mu.Lock()
	defer r.tokens.mu.Unlock()
	return r.tokens.issued
}
