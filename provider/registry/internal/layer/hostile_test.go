package layer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func wantLimit(t *testing.T, err error, says string) {
	t.Helper()
	if _, ok := errors.AsType[*LimitError](err); !ok || !strings.Contains(err.Error(), says) || len(err.Error()) > 500 {
		t.Errorf("got %v, want a limit that says %q", err, says)
	}
}

// Names and targets that no file system takes are refused where they matter, and
// are nothing where they do not.
func TestNameLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("a/", n-1) + "f" }
	long := strings.Repeat(strings.Repeat("x", 100)+"/", 41)
	for _, tt := range []struct {
		name  string
		entry testpayload.Entry
		says  string
	}{
		{"deep file", testpayload.File("d/"+deep(256), ""), "has a name of 257 components"},
		{"deep enough", testpayload.File("d/"+deep(255), ""), ""},
		{"deep directory", testpayload.Dir("d/" + deep(256)), "257 components"},
		{"deep whiteout", testpayload.Whiteout("d/" + deep(256)), "257 components"},
		{"deep opaque directory", testpayload.OpaqueWhiteout("d/" + deep(256)), "258 components"},
		{"deep below a file", testpayload.File("x/"+deep(256), ""), "257 components"},
		{"long file", testpayload.File("d/"+long+"f", ""), "has a name of 4144 bytes"},
		{"deep symlink", testpayload.Symlink("d/l", "/"+deep(256)), "links to a name of 257 components"},
		{"long symlink", testpayload.Symlink("d/l", long), "links to a name of 4141 bytes"},
		{"deep hard link", testpayload.HardLink("d/l", deep(257)), "links to a name of 257 components"},
		{"on the way", testpayload.Symlink("d", deep(257)), "links to a name of 257 components"},
		{"not wanted", testpayload.File("e/"+deep(300), ""), ""},
		{"link not wanted", testpayload.Symlink("e", deep(300)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSearch(limits, []string{"d/**", "x"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Scan(bytes.NewReader(blob(t, tt.entry)))
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantLimit(t, err, tt.says)
		})
	}
}

// Links that are each short enough add up.
func TestSteps(t *testing.T) {
	var s Search
	s.restart()
	s.root.dir("d")
	round := strings.Repeat("d/../", 100)
	for i := range 20 {
		s.root.put("", string(rune('A'+i)), &node{kind: symlink, target: round + string(rune('A'+i+1))})
	}
	s.root.put("", string(rune('A'+20)), &node{kind: file, kept: true})
	if _, _, st := s.follow(string(rune('A'+16)), nil); st != found {
		t.Errorf("through 4 links: %d", st)
	}
	if _, _, st := s.follow("A", nil); st != missing {
		t.Errorf("through 20 links of 200 components each: %d", st)
	}
}
