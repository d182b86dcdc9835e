package env

import (
	"iter"
	"strings"
)

// Variable is the name of HyperShift's environment variable.
const Variable = "OPENSHIFT_IMG_OVERRIDES"

// none is what the encoder writes for no pairs, and what a leading entry may be.
const none = "="

// Decode reads the variable's value as HyperShift does, to the letter: entries
// without a source or a mirror are skipped, the first "=" splits, nothing is
// trimmed, nothing is dropped for being there twice. "" and "=" are nil; any
// other value is a map, perhaps empty.
func Decode(value string) map[string][]string {
	if value == "" || value == none {
		return nil
	}
	m := map[string][]string{}
	for _, p := range pairs(value) {
		if p.ok() {
			m[p.source] = append(m[p.source], p.mirror)
		}
	}
	return m
}

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

// pairs are the entries of value with their positions, counted from 1.
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
