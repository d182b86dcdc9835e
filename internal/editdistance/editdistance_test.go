package editdistance_test

import (
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
)

func TestLevenshtein(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"kitten", "sitting", 3}, {"mirrors", "mirror", 1}, {"source", "soruce", 2},
		{strings.Repeat("x", 100), "x", 100},
	} {
		if got := editdistance.Levenshtein(tc.a, tc.b); got != tc.want {
			t.Errorf("%q to %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
