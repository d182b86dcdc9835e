// Package checkreport is the result of check and release check: which images the mirrors
// have, as a node would find them.
//
// A [Report] is made by [New] of what package check of chain found out, one [Result] for an
// image. It has an [Image] for each, with a [Cell] for each of the [Mirror]s that are its
// columns; text, HTML, lists and JUnit are written from those alone.
//
// To add a column that is not about having an image, such as whether its signature is there,
// put a field with a type of its own beside Status into [Cell] (what one mirror says) or
// into [Image] (what holds for all mirrors), and its count into [Mirror] or [Summary]. Let
// the caller of New fill it in before the report is written: New knows nothing of it. Then
// [Report.Text] and the template of the HTML get a column, and [Report.Code] its exit code.
package checkreport

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/signedreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Report is the result's JSON.
type Report struct {
	// The release, where there is one and no more.
	Image     string    `json:"image"`
	Digest    string    `json:"digest"`
	Version   string    `json:"version"`
	Platforms []string  `json:"platforms"`
	Releases  []Release `json:"releases"`
	// From are the folders and archives that were read in place of registries; "" for none.
	From string `json:"from"`
	// Complete is false where the command ended before it had asked for everything.
	Complete bool     `json:"complete"`
	Summary  Summary  `json:"summary"`
	Mirrors  []Mirror `json:"mirrors"`
	Images   []Image  `json:"images"`
	// Signatures are what the mirrors have of them; null where nobody asked. The caller of
	// New fills it in.
	Signatures *signedreport.Signatures `json:"signatures"`
	// GPG are the GPG signatures of each release that From has beside the images; empty
	// where nobody asked. The caller of New fills it in.
	GPG []*verifyreport.Report `json:"gpg"`
	notices.Notices

	allMirrors bool
}

// Release is a release whose images were checked.
type Release struct {
	Image     string   `json:"image"`
	Digest    string   `json:"digest"`
	Version   string   `json:"version"`
	Platforms []string `json:"platforms"`
}

// Summary counts images, each once however many names it has.
type Summary struct {
	Images   int            `json:"images"`
	Found    int            `json:"found"`
	Missing  int            `json:"missing"`
	Failed   int            `json:"failed"`
	NotAsked int            `json:"notAsked"`
	Partial  int            `json:"partial"` // found, and not on every mirror that was asked
	From     map[string]int `json:"from"`    // images by the registry that has them
}

// Mirror is a column of the matrix: a registry, or a place in it where images have several
// places in one registry. The counts are of images that it is an endpoint for.
type Mirror struct {
	Name     string `json:"name"`
	Source   bool   `json:"source"` // no mirror, but where images come from
	Found    int    `json:"found"`
	Missing  int    `json:"missing"`
	Failed   int    `json:"failed"`
	NotAsked int    `json:"notAsked"`
}

// Cell is what one mirror says of an image.
type Cell struct {
	Mirror string `json:"mirror"` // the name of the column
	Image  string `json:"image"`  // the reference there
	Status string `json:"status"` // as that of an image
	Error  string `json:"error"`  // "" unless missing or failed

	column int
}

// What came of an image.
const (
	Found    = "found"
	Missing  = "missing"  // every endpoint that was asked says that it has no such image, or the one that nodes choose has only a part
	Failed   = "failed"   // nothing that was asked could say
	NotAsked = "notAsked" // the command ended before
)

// Image is one image and what came of it.
type Image struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"` // more names of the same image
	Image   string   `json:"image"`
	Status  string   `json:"status"`
	From    string   `json:"from"`  // "" unless found
	Error   string   `json:"error"` // "" if found
	// Elsewhere is an endpoint that has all of an image of which the endpoint that a
	// node chooses lacks a part; "" for none. A node does not ask it.
	Elsewhere string           `json:"elsewhere"`
	Mirrors   []Cell           `json:"mirrors"`
	Attempts  []failure.Record `json:"attempts"`

	attempts []provider.Attempt
	lacks    *Lack
	partial  bool
	code     int      // the exit code of what a mirror does not have
	targets  []string // where the image has to be mirrored to
}

// Result is what came of one image.
type Result struct {
	// Names are what the release calls it; at least one.
	Names []string
	check.Result
	// Lack is what the endpoint that has the image lacks of it; nil for nothing.
	Lack *Lack
	// Unfinished says that the command ended before there was an answer.
	Unfinished bool
}

// Lack is an entry of an index that the endpoint with the index does not serve. Nodes
// choose an endpoint once, by the index, and fail there.
type Lack struct {
	Platform  provider.Platform
	At        imageref.Ref // the index, at the endpoint
	Err       error        // what the endpoint says about the entry
	Elsewhere imageref.Ref // an endpoint with index and entry; zero for none
}

// Error says what is lacking.
func (l *Lack) Error() string {
	what := "lacks its entry"
	if provider.ClassOf(l.Err) != provider.ClassNotFound {
		what = "does not serve its entry"
	}
	return fmt.Sprintf("%s has the index and %s for %s: %s", l.At.Name(), what, l.Platform, failure.Attempt(l.At, l.Err))
}

// Config is what a report says beside its results.
type Config struct {
	Releases []Release
	// Disk is what --from names; "" where registries were asked.
	Disk string
	// AllMirrors says that every mirror was asked, and has to have everything.
	AllMirrors bool
	// Delivery are the rules that say where images have to be mirrored to.
	Delivery *policy.Rules
}

// New makes a report of results. Its Notices are the caller's to fill in.
func New(cfg Config, results []Result) *Report {
	r := &Report{
		Platforms: []string{}, Releases: output.List(cfg.Releases), From: cfg.Disk, Complete: true, allMirrors: cfg.AllMirrors,
		Summary: Summary{Images: len(results), From: map[string]int{}}, Mirrors: []Mirror{}, Images: []Image{}, GPG: []*verifyreport.Report{},
	}
	if len(cfg.Releases) == 1 {
		one := cfg.Releases[0]
		r.Image, r.Digest, r.Version, r.Platforms = one.Image, one.Digest, one.Version, output.List(one.Platforms)
	}
	checked := make([]check.Result, len(results))
	for i, res := range results {
		checked[i] = res.Result
	}
	m := check.NewMatrix(checked)
	if cfg.Disk == "" {
		for _, c := range m.Columns {
			r.Mirrors = append(r.Mirrors, Mirror{c.Name, !c.Mirror, c.Has, c.Lacks, c.Failed, c.NotAsked})
		}
	}
	for _, res := range results {
		c := Image{
			Name: res.Names[0], Aliases: output.List(res.Names[1:]), Image: res.Image.String(), Mirrors: []Cell{},
			Attempts: []failure.Record{}, attempts: AttemptsOf(res.Result), lacks: res.Lack,
		}
		for _, at := range c.attempts {
			c.Attempts = append(c.Attempts, failure.RecordOf(at))
		}
		c.Status = res.Status()
		if cfg.Disk == "" {
			c.addCells(m, &res)
		}
		switch c.Status {
		case Found:
			c.From = res.Found.From.String()
			r.Summary.Found++
			r.Summary.From[cmp.Or(cfg.Disk, res.Found.From.Registry())]++
			if cfg.AllMirrors && c.partial {
				r.Summary.Partial++
			}
		case Missing:
			c.Error = res.words(cfg.Disk)
			r.Summary.Missing++
		case Failed:
			c.Error = res.words(cfg.Disk)
			r.Summary.Failed++
		default:
			c.Error = "not asked for: the command ended before"
			r.Summary.NotAsked++
			r.Complete = false
		}
		if res.Lack != nil && !res.Lack.Elsewhere.IsZero() {
			c.Elsewhere = res.Lack.Elsewhere.String()
		}
		c.targets = cfg.targets(&c, &res)
		r.Images = append(r.Images, c)
	}
	return r
}

func (c *Image) addCells(m *check.Matrix, res *Result) {
	for i, e := range m.Row(res.Result) {
		if e == nil {
			continue
		}
		cell := Cell{Mirror: m.Columns[i].Name, Image: e.Ref.String(), Status: e.State().String(), column: i}
		if e.Err != nil {
			cell.Error = failure.Attempt(e.Ref, e.Err)
			c.partial = true
			c.code = failure.Worse(c.code, failure.Code(e.Err))
		}
		c.Mirrors = append(c.Mirrors, cell)
	}
}

// targets returns where an image has to be mirrored to: to each mirror that says that it
// lacks it, of an image that is missing or that every mirror has to have.
func (cfg *Config) targets(c *Image, res *Result) []string {
	if c.Status != Missing && (!cfg.AllMirrors || c.Status != Found) {
		return nil
	}
	var to []string
	if cfg.Disk != "" {
		if cands, err := cfg.Delivery.Candidates(res.Image); err == nil && c.Status == Missing {
			for _, cand := range cands {
				if cand.Mirror {
					to = append(to, target(cand.Ref))
				}
			}
		}
		return to
	}
	for _, e := range res.At {
		if e.Mirror && e.State() == check.Lacks {
			to = append(to, target(e.Ref))
		}
	}
	return to
}

// target returns ref as 'oc image mirror' takes a target. It takes none by digest, and none
// twice in a list, so each image gets a tag of its own: the digits of its digest. A tag
// sha256-DIGITS would say that there are signatures behind it (distribution-spec, "Referrers
// Tag Schema").
func target(ref imageref.Ref) string {
	if _, digits, ok := strings.Cut(ref.Digest(), ":"); ok {
		return ref.Name() + ":" + digits
	}
	return ref.Normalize().String()
}

// Status returns what is known of the image: Found, Missing, Failed or NotAsked.
func (res *Result) Status() string {
	switch {
	case res.Unfinished:
		return NotAsked
	case res.Err == nil && res.Lack == nil:
		return Found
	case res.Err == nil && provider.ClassOf(res.Lack.Err) == provider.ClassNotFound, res.Err != nil && res.Missing():
		return Missing
	}
	return Failed
}

// words returns the error in one line; the attempts have the rest.
func (res *Result) words(disk string) string {
	if disk != "" {
		return res.fault()
	}
	if res.Lack != nil {
		return res.Lack.Error()
	}
	if e, ok := errors.AsType[*chain.Error](res.Err); ok && len(e.Attempts) > 0 {
		return fmt.Sprintf("not available (%s)", failure.Asked(e.Attempts, ""))
	}
	return output.OneLine(res.Err.Error())
}

// AttemptsOf returns the endpoints that were asked for an image.
func AttemptsOf(r check.Result) []provider.Attempt {
	if e, ok := errors.AsType[*chain.Error](r.Err); ok {
		return e.Attempts
	}
	return r.Found.Attempts
}

// fault returns what is wrong with an image on disk. The error of the reader names the
// image, which stands beside it.
func (res *Result) fault() string {
	err := res.Err
	if res.Lack != nil {
		err = res.Lack.Err
	} else if e, ok := errors.AsType[*chain.Error](err); ok && len(e.Attempts) > 0 {
		err = e.Attempts[0].Err
	}
	return output.OneLine(strings.TrimPrefix(err.Error(), res.Image.String()+": "))
}

// Nowhere returns how many images are missing that no mirror is named for.
func (r *Report) Nowhere() int {
	n := 0
	for _, c := range r.Images {
		if c.Status == Missing && len(c.targets) == 0 {
			n++
		}
	}
	return n
}

// Code returns the exit code: not found if an image is missing, or where every mirror has to
// have it from one of them, else that of the worst
// failure, and unreachable where the time was too short to ask for all.
func (r *Report) Code(results []Result) int {
	code := r.imagesCode(results)
	if r.Signatures != nil {
		code = failure.Worse(code, r.Signatures.Code())
	}
	for _, v := range r.GPG {
		code = failure.Worse(code, v.Code())
	}
	return code
}

func (r *Report) imagesCode(results []Result) int {
	if r.Summary.Missing > 0 || r.lacking() {
		return failure.ExitNotFound
	}
	code := failure.ExitOK
	for i, res := range results {
		switch attempts := AttemptsOf(res.Result); {
		case res.Unfinished:
			code = failure.Worse(code, failure.ExitUnreachable)
		case res.Lack != nil:
			code = failure.Worse(code, failure.Code(res.Lack.Err))
		case res.Err == nil:
			if r.allMirrors {
				code = failure.Worse(code, r.Images[i].code)
			}
		case len(attempts) > 0:
			code = failure.Worse(code, failure.AttemptsCode(res.Image, attempts))
		default:
			code = failure.Worse(code, failure.Code(res.Err))
		}
	}
	return code
}

// lacking reports whether a mirror that has to have everything lacks something.
func (r *Report) lacking() bool {
	for _, m := range r.Mirrors {
		if r.allMirrors && !m.Source && m.Missing > 0 {
			return true
		}
	}
	return false
}
