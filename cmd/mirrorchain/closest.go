package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
)

// closest returns up to five of names that a person may have meant by name, the most
// likely first.
func closest(name string, names []string) []string {
	type scored struct {
		name  string
		score int
	}
	limit := max(2, len(name)/3)
	var near []scored
	for _, n := range names {
		d := editdistance.Levenshtein(name, n)
		if len(name) >= 3 && strings.Contains(n, name) {
			d = min(d, limit) // part of it was typed
		}
		if d <= limit {
			near = append(near, scored{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	var out []string
	for _, s := range near[:min(len(near), 5)] {
		out = append(out, s.name)
	}
	return out
}
