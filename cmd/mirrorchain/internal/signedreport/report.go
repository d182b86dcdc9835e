// Package signedreport is what release check --signatures adds to a report: whether each
// mirror has the signatures that nodes ask for, of each image that an image policy covers.
package signedreport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/junit"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// What came of the signatures of a manifest.
const (
	Good    = "good"
	Missing = "missing" // there is none
	Bad     = "bad"     // none is accepted
	Failed  = "failed"  // nobody knows
)

// Signatures is the result as JSON.
type Signatures struct {
	Nodes   string           `json:"nodes"`  // the answer, a sentence
	Answer  string           `json:"answer"` // yes, no, mixed: it depends on the mirror, unknown
	Scopes  []string         `json:"scopes"` // of the image policies
	Images  int              `json:"images"` // that a policy covers
	Absent  int              `json:"absent"` // of these, not available at any endpoint
	Mirrors []SignedMirror   `json:"mirrors"`
	Checks  []SignedManifest `json:"checks"`
}

// SignedMirror counts what one mirror has.
type SignedMirror struct {
	Name    string `json:"name"`
	Source  bool   `json:"source"` // no mirror, but where images come from
	Good    int    `json:"good"`
	Missing int    `json:"missing"`
	Bad     int    `json:"bad"`
	Failed  int    `json:"failed"`
}

// SignedManifest is about a manifest at a mirror.
type SignedManifest struct {
	Name     string `json:"name"` // of the image
	Image    string `json:"image"`
	Platform string `json:"platform"` // "" for an image of one platform
	Mirror   string `json:"mirror"`   // the name of the column
	At       string `json:"at"`       // the reference at which nodes look for signatures
	Status   string `json:"status"`
	Policy   string `json:"policy"` // the scope
	Identity string `json:"identity"`
	Error    string `json:"error"` // "" if good

	code int
}

// Result is what came of a manifest at a mirror.
type Result struct {
	check.Signed
	Platform string
	Mirror   string // the name of the column
}

// Config is what a report says beside its results.
type Config struct {
	Nodes  string // those that have the policies, for a person
	Scopes []string
	Images int
	Absent int
}

// New makes a report of results, which are sorted by image and then by mirror.
func New(cfg Config, results []Result) *Signatures {
	r := &Signatures{Scopes: output.List(cfg.Scopes), Images: cfg.Images, Absent: cfg.Absent, Mirrors: []SignedMirror{}, Checks: []SignedManifest{}}
	for _, res := range results {
		c := checkOf(&res)
		r.Checks = append(r.Checks, c)
		i := slices.IndexFunc(r.Mirrors, func(m SignedMirror) bool { return m.Name == c.Mirror })
		if i < 0 {
			i, r.Mirrors = len(r.Mirrors), append(r.Mirrors, SignedMirror{Name: c.Mirror, Source: !res.At.Mirror})
		}
		m := &r.Mirrors[i]
		switch c.Status {
		case Good:
			m.Good++
		case Missing:
			m.Missing++
		case Bad:
			m.Bad++
		default:
			m.Failed++
		}
	}
	r.conclude(cfg.Nodes)
	return r
}

func checkOf(res *Result) SignedManifest {
	c := SignedManifest{
		Name: res.Name, Image: res.Image.String(), Platform: res.Platform, Mirror: res.Mirror,
		At: res.At.Ref.Name() + ":" + sigstore.Tag(res.Digest), Status: Good, Policy: res.Scope,
	}
	refused, isRefused := errors.AsType[*sigstore.Error](res.Err)
	switch {
	case res.Err == nil:
		for _, a := range res.Accepted {
			c.Identity = a.Identity
		}
	case errors.Is(res.Err, sigstore.ErrNoSignature):
		c.Status, c.code, c.Error = Missing, failure.ExitNotFound, "no such tag"
	case isRefused:
		var why []string
		for _, err := range refused.Errs {
			why = append(why, err.Error())
		}
		c.Status, c.code, c.Error = Bad, failure.ExitDigest, strings.Join(why, "; ")
	default:
		c.Status, c.code, c.Error = Failed, failure.Code(res.Err), failure.Attempt(res.At.Ref, res.Err)
	}
	if refused != nil && refused.Others > 0 {
		c.Error += fmt.Sprintf("; %s behind the tag are no signatures that nodes read", output.Plural(refused.Others, "attachment"))
	}
	return c
}

// Answers of a report.
const (
	yes     = "yes"
	no      = "no"
	mixed   = "mixed"
	unknown = "unknown"
)

// conclude says whether nodes would accept what the mirrors have. A node takes an image
// from the first mirror that has it, and needs the signature there. A later one counts
// where that is away.
func (r *Signatures) conclude(nodes string) {
	from := "its own registry"
	var good, bad, open []string // names of mirrors, and reasons
	for _, m := range r.Mirrors {
		if !m.Source {
			from = "these mirrors"
		}
		switch {
		case m.Missing+m.Bad > 0:
			bad = append(bad, m.Name)
		case m.Failed > 0:
			open = append(open, m.Name)
		default:
			good = append(good, m.Name)
		}
	}
	var why []string
	if r.Absent > 0 {
		why = append(why, output.Plural(r.Absent, "image")+" of it cannot be had from any of them")
	}
	why = append(why, r.reasons()...)
	because := strings.Join(why, "; ")
	question := fmt.Sprintf("%s would accept this release from %s: ", nodes, from)
	switch {
	case r.Absent > 0 || len(bad) > 0 && len(good)+len(open) == 0:
		r.Answer, r.Nodes = no, question+"no, because "+because
	case len(bad) > 0 && len(good) > 0:
		r.Answer, r.Nodes = mixed, question+"yes from "+strings.Join(good, ", ")+"; no from "+strings.Join(bad, ", ")+", because "+because
	case len(bad) > 0:
		r.Answer, r.Nodes = no, question+"no, because "+because
	case len(open) > 0 || len(r.Mirrors) == 0:
		r.Answer, r.Nodes = unknown, question+"nobody knows"
		if because != "" {
			r.Nodes += ", because " + because
		}
	default:
		r.Answer, r.Nodes = yes, question+"yes"
	}
}

// reasons say for each mirror what nodes would not accept there.
func (r *Signatures) reasons() []string {
	var out []string
	for _, m := range r.Mirrors {
		var parts []string
		add := func(n int, status, format string) {
			if n > 0 {
				parts = append(parts, fmt.Sprintf(format, r.names(m.Name, status, n)))
			}
		}
		add(m.Missing, Missing, "has no signature of %s")
		add(m.Bad, Bad, "has signatures that are not accepted, of %s")
		add(m.Failed, Failed, "could not be asked for those of %s")
		if len(parts) > 0 {
			out = append(out, m.Name+" "+strings.Join(parts, ", and "))
		}
	}
	return out
}

// names names images while they are few.
func (r *Signatures) names(mirror, status string, n int) string {
	const few = 3
	var names []string
	for _, c := range r.Checks {
		if c.Mirror == mirror && c.Status == status && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, %s and %d more", names[0], names[1], len(names)-2)
}

// Code returns the exit code.
func (r *Signatures) Code() int {
	code := failure.ExitOK
	if r.Absent > 0 {
		code = failure.ExitNotFound
	}
	for _, c := range r.Checks {
		code = failure.Worse(code, c.code)
	}
	return code
}

// Refused reports whether a mirror has a signature that is not accepted.
func (r *Signatures) Refused() bool {
	return slices.ContainsFunc(r.Mirrors, func(m SignedMirror) bool { return m.Bad > 0 })
}

// Cases returns a test case for each check.
func (r *Signatures) Cases() []junit.Case {
	var cases []junit.Case
	for _, c := range r.Checks {
		one := junit.Case{Class: "signatures", Name: strings.TrimSpace(c.Name+" "+c.Platform) + " on " + c.Mirror}
		switch reason := (&junit.Reason{Message: c.Error, Type: c.Status, Text: c.At + "\n  " + c.Error}); c.Status {
		case Missing, Bad:
			one.Failure = reason
		case Failed:
			one.Error = reason
		}
		cases = append(cases, one)
	}
	return cases
}
