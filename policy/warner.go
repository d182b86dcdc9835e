package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// warner collects what is legal and surprising about merged policies
// (docs/semantics.md, "What is legal and surprising").
type warner struct {
	index *index
	out   []Warning
}

func (w *warner) add(code string, origins []string, format string, args ...any) {
	w.out = append(w.out, Warning{Code: code, Origins: distinct(origins), Message: fmt.Sprintf(format, args...)})
}

// sorted returns the warnings; equal ones become one with the origins of all.
func (w *warner) sorted() []Warning {
	slices.SortStableFunc(w.out, func(a, b Warning) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Message, b.Message))
	})
	out := w.out[:0]
	for _, x := range w.out {
		if n := len(out); n > 0 && out[n-1].Code == x.Code && out[n-1].Message == x.Message {
			out[n-1].Origins = distinct(append(out[n-1].Origins, x.Origins...))
			continue
		}
		out = append(out, x)
	}
	return out
}
