package main

import (
	"cmp"
	"slices"
	"strings"
)

// closest are up to five of names that a person may have meant by name, the most
// likely first.
func closest(name string, names []string) []string {
	type scored struct {
		name  string
		score int
	}
	limit := max(2, len(name)/3)
	var near []scored
	for _, n := range names {
		d := distance(name, n)
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

// distance is how many bytes have to be inserted, removed or replaced to make b
// of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
