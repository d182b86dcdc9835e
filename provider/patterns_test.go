package provider_test

import (
	"errors"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

func TestCheckPatterns(t *testing.T) {
	if err := provider.CheckPatterns(); err != nil {
		t.Error(err)
	}
	good := []string{"etc/os-release", "etc/*.conf", "etc/**", "**", "*", "a[b-d]/?", `a\[b`, "...", "a b/ä"}
	if err := provider.CheckPatterns(good...); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		"", ".", "/", "/etc/os-release", "etc/", "etc//x", "./etc", "etc/.", "..", "../etc", "etc/../x", "\xff",
		"[", "a/[", "[a/b]", `a\`, `a\/b`, "a[]b/c", "x/*/[z-",
	} {
		err := provider.CheckPatterns("good", bad)
		if !errors.Is(err, path.ErrBadPattern) || !errors.Is(err, provider.ErrInvalidRequest) {
			t.Errorf("%q: %v; want a bad pattern of an invalid request", bad, err)
			continue
		}
		if s := err.Error(); !strings.Contains(s, strconv.Quote(bad)) || !strings.Contains(s, "want ") {
			t.Errorf("%q: %q does not name the pattern, or what is wanted", bad, s)
		}
	}
}
