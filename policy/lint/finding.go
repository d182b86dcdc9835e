package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Severity says how bad a finding is.
type Severity int

// Severities.
const (
	Info    Severity = iota // to know; nothing need be done
	Warning                 // legal, and often not what is meant
	Error                   // refused somewhere, or images cannot be pulled
)

// String returns "info", "warning" or "error".
func (s Severity) String() string { return [...]string{"info", "warning", "error"}[s] }

// MarshalText returns String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that is wrong or surprising.
type Finding struct {
	Code     string   `json:"code"` // see [Catalogue]
	Severity Severity `json:"severity"`
	Message  string   `json:"message"` // what is wrong, with the names in question
	Effect   string   `json:"effect"`  // what happens then, on a node or in the API
	Fix      string   `json:"fix"`     // what to do
	// RefusedByAPI says that the API server does not take the object.
	RefusedByAPI bool `json:"refusedByAPI"`
	// Origins are the entries concerned, as in policy.Rule; empty for what no entry states.
	Origins []string `json:"origins"`
	// Places are where Origins are in files.
	Places []Place `json:"places"`
}

// Place is a line of a file.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 where there are no lines
}

var (
	withLine    = regexp.MustCompile(`^file:(.+?):(\d+)(?: .*)?$`)
	withoutLine = regexp.MustCompile(`^file:(.+?)()(?: \[\[registry\]\]#\d+| [a-z-]+/\S+)?$`)
)

// PlaceOf returns the file and the line that an origin names. ok is false for what is in no
// file, such as an object in a cluster. Within an object that holds a text, such as a
// ConfigMap, it is the line of the object.
func PlaceOf(origin string) (p Place, ok bool) {
	m := withLine.FindStringSubmatch(origin)
	if m == nil {
		m = withoutLine.FindStringSubmatch(origin)
	}
	if m == nil || m[1] == "-" {
		return Place{}, false
	}
	line, _ := strconv.Atoi(m[2]) // "" and what is too large are 0
	return Place{m[1], line}, true
}

// New makes a finding with the severity and the texts of its code. It is for who knows more
// than policies, such as what a pull secret holds.
func New(code string, origins []string, format string, args ...any) Finding {
	n := Finding{Code: code, Message: fmt.Sprintf(format, args...), Origins: []string{}, Places: []Place{}}
	if k, ok := kindOf(code); ok {
		n.Severity, n.Effect, n.Fix, n.RefusedByAPI = k.Severity, k.Effect, k.Fix, k.RefusedByAPI
	}
	for _, o := range origins {
		if o == "" || slices.Contains(n.Origins, o) {
			continue
		}
		n.Origins = append(n.Origins, o)
		if p, ok := PlaceOf(o); ok {
			n.Places = append(n.Places, p)
		}
	}
	return n
}

// findings collects them.
type findings struct{ all []Finding }

// add adds what [New] makes. The result is good until the next one is added.
func (f *findings) add(code string, origins []string, format string, args ...any) *Finding {
	f.all = append(f.all, New(code, origins, format, args...))
	return &f.all[len(f.all)-1]
}

// Sort sorts findings: errors first, then by code and place.
func Sort(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Code, b.Code),
			slices.CompareFunc(a.Places, b.Places, func(a, b Place) int {
				return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
			}), slices.Compare(a.Origins, b.Origins), strings.Compare(a.Message, b.Message))
	})
}

// Worst returns the highest severity among findings. ok is false if there are none.
func Worst(all []Finding) (worst Severity, ok bool) {
	for _, f := range all {
		worst = max(worst, f.Severity)
	}
	return worst, len(all) > 0
}
