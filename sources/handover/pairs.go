package handover

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// pair is one entry between two commas.
type pair struct {
	text           string
	source, mirror string
}

// ok says that the entry is one: both halves are there.
func (p pair) ok() bool { return p.source != "" && p.mirror != "" }

// null says that the entry means nothing and is meant to: an empty one, or the
// "=" that HyperShift's own encoder puts first where an empty source got into
// its map.
func (p pair) null() bool { return p.text == "" || p.text == none }

// pairs returns the entries of value with their positions, counted from 1.
func pairs(value string) iter.Seq2[int, pair] {
	return func(yield func(int, pair) bool) {
		n := 0
		for text := range strings.SplitSeq(value, ",") {
			n++
			p := pair{text: text}
			p.source, p.mirror, _ = strings.Cut(text, "=")
			if !yield(n, p) {
				return
			}
		}
	}
}

// mapPairs returns the entries of m as [pairs] would have them: sources sorted, the mirrors of
// each in their order.
func mapPairs(m map[string][]string) iter.Seq2[int, pair] {
	return func(yield func(int, pair) bool) {
		n := 0
		for _, source := range slices.Sorted(maps.Keys(m)) {
			for _, mirror := range m[source] {
				n++
				if !yield(n, pair{source + "=" + mirror, source, mirror}) {
					return
				}
			}
		}
	}
}

// check refuses what cannot be a registry name and would only fail later, at
// each image, or never match at all. right is what the right half is called.
func check(p pair, right string) error {
	for _, half := range []struct{ what, text string }{{"source", p.source}, {right, p.mirror}} {
		if strings.ContainsFunc(half.text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
			return fmt.Errorf("%s %q holds white space or a character that no registry name has; remove it", half.what, half.text)
		}
	}
	return nil
}
