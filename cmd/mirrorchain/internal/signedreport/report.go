// Package signedreport is what release check --signatures adds to a report: whether each
// mirror has the signatures that nodes ask for, of each image that an image policy covers.
package signedreport

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
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
	Nodes  string   `json:"nodes"`  // the answer, a sentence
	Answer string   `json:"answer"` // yes, no, mixed: it depends on the mirror, unknown
	Scopes []string `json:"scopes"` // of the image policies
	// RegistriesD is the folder that says where nodes look for signatures; "" if it is
	// assumed that they do on every mirror.
	RegistriesD string           `json:"registriesD"`
	Images      int              `json:"images"`  // that a policy covers
	Absent      int              `json:"absent"`  // of these, not available at any endpoint
	Unknown     int              `json:"unknown"` // of these, nobody knows whether any endpoint has them
	Mirrors     []SignedMirror   `json:"mirrors"`
	Checks      []SignedManifest `json:"checks"`
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
	// unread: missing because nodes do not look for it. rejected: bad, whatever is signed.
	unread, rejected bool
}

// Result is what came of a manifest at a mirror, or of asking the mirror for the image. Then
// nobody may know the digest of the manifest, "".
type Result struct {
	check.Signed
	Platform string
	Mirror   string // the name of the column
}

// Config is what a report says beside its results.
type Config struct {
	Nodes  string // those that have the policies, for a person
	Scopes []string
	// RegistriesD is the folder of that name, "" if none was read.
	RegistriesD string
	// Disk is what was read in place of registries, "" for none.
	Disk    string
	Images  int
	Absent  int
	Unknown int
}

// From names who serves images that no mirror does: what disk holds, or their own registry.
func From(disk string) string {
	if disk != "" {
		return "a mirror with what is in " + disk
	}
	return "its own registry"
}

// New makes a report of results, which are sorted by image and then by mirror.
func New(cfg Config, results []Result) *Signatures {
	r := &Signatures{Scopes: output.List(cfg.Scopes), RegistriesD: cfg.RegistriesD, Images: cfg.Images, Absent: cfg.Absent, Unknown: cfg.Unknown, Mirrors: []SignedMirror{}, Checks: []SignedManifest{}}
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
	r.conclude(cfg.Nodes, cfg.Disk)
	return r
}

func checkOf(res *Result) SignedManifest {
	c := SignedManifest{
		Name: res.Name, Image: res.Image.String(), Platform: res.Platform, Mirror: res.Mirror,
		At: res.At.Ref.Name() + ":" + sigstore.Tag(res.Digest), Status: Good, Policy: res.Scope,
	}
	if res.Digest == "" {
		c.At = res.At.Ref.String()
	}
	rejected, isRejected := errors.AsType[*node.RejectedError](res.Err)
	refused, isRefused := errors.AsType[*sigstore.Error](res.Err)
	switch {
	case res.Err == nil:
		for _, a := range res.Accepted {
			c.Identity = a.Identity
		}
	case isRejected:
		c.Status, c.code, c.Error, c.rejected = Bad, failure.ExitForbidden, rejected.Reason(), true
	case isRefused && refused.Unread != "":
		c.Status, c.code, c.Error, c.unread = Missing, failure.ExitNotFound, refused.Unread, true
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
		c.Error += fmt.Sprintf("; %s behind the tag are no signatures that nodes read", words.Plural(refused.Others, "attachment"))
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
func (r *Signatures) conclude(nodes, disk string) {
	from := From(disk)
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
		why = append(why, words.Plural(r.Absent, "image")+" of it cannot be had from any of them")
	}
	why = append(why, r.reasons()...)
	if r.Unknown > 0 && len(open) == 0 { // else the mirrors that could not be asked are named
		why = append(why, words.Plural(r.Unknown, "image")+" of it could not be asked for")
	}
	answers := map[string]string{yes: "yes", no: "no", unknown: "unknown"}
	switch {
	case r.Absent > 0 || len(bad) > 0 && len(good)+len(open) == 0:
		r.Answer = no
	case len(bad) > 0:
		r.Answer = unknown
		if len(good) > 0 {
			r.Answer = mixed
		}
		answers[r.Answer] = perMirror(good, bad, open)
	case len(open) > 0 || r.Unknown > 0 || len(r.Mirrors) == 0:
		r.Answer = unknown
	default:
		r.Answer = yes
	}
	if r.Images == 0 {
		r.Nodes = nodes + " ask for no signature of this release: no image policy covers an image of it"
		return
	}
	r.Nodes = fmt.Sprintf("%s would accept this release from %s: %s", nodes, from, answers[r.Answer])
	if len(why) > 0 {
		r.Nodes += ", because " + strings.Join(why, "; ")
	}
}

// perMirror returns the answer where it depends on the mirror.
func perMirror(good, bad, open []string) string {
	var parts []string
	for _, p := range []struct {
		answer  string
		mirrors []string
	}{{"yes", good}, {"no", bad}, {"unknown", open}} {
		if len(p.mirrors) > 0 {
			parts = append(parts, p.answer+" from "+strings.Join(p.mirrors, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// reasons say for each mirror what nodes would not accept there.
func (r *Signatures) reasons() []string {
	var out []string
	for _, m := range r.Mirrors {
		var parts []string
		add := func(format string, is func(*SignedManifest) bool) {
			if names := r.names(m.Name, is); names != "" {
				parts = append(parts, fmt.Sprintf(format, names))
			}
		}
		add("has no signature of %s", func(c *SignedManifest) bool { return c.Status == Missing && !c.unread })
		add("is a place where nodes look for no signatures, of %s", func(c *SignedManifest) bool { return c.unread })
		add("has signatures that are not accepted, of %s", func(c *SignedManifest) bool { return c.Status == Bad && !c.rejected })
		add("has images that nodes reject, whoever serves them: %s", func(c *SignedManifest) bool { return c.rejected })
		add("could not be asked for those of %s", func(c *SignedManifest) bool { return c.Status == Failed })
		if len(parts) > 0 {
			out = append(out, m.Name+" "+strings.Join(parts, ", and "))
		}
	}
	return out
}

// names names images while they are few.
func (r *Signatures) names(mirror string, is func(*SignedManifest) bool) string {
	const few = 3
	var names []string
	for _, c := range r.Checks {
		if c.Mirror == mirror && is(&c) && !slices.Contains(names, c.Name) {
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
	switch {
	case r.Absent > 0:
		code = failure.ExitNotFound
	case r.Unknown > 0:
		code = failure.ExitUnreachable
	}
	for _, c := range r.Checks {
		code = failure.Worse(code, c.code)
	}
	return code
}

// Assumed reports whether the answer rests on nodes looking for signatures on a mirror, and
// no registries.d says so.
func (r *Signatures) Assumed() bool {
	return r.RegistriesD == "" && slices.ContainsFunc(r.Mirrors, func(m SignedMirror) bool { return !m.Source && m.Good > 0 })
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
