// Package checkreport is the result of release check: which images of a release the
// mirrors have, as a node would find them.
package checkreport

import (
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Report is the result's JSON.
type Report struct {
	Image     string   `json:"image"`
	Digest    string   `json:"digest"`
	Version   string   `json:"version"`
	Platforms []string `json:"platforms"`
	// Complete is false where the command ended before it had asked for everything.
	Complete bool    `json:"complete"`
	Summary  Summary `json:"summary"`
	Images   []Image `json:"images"`
	notices.Notices
}

// Summary counts images, each once however many names it has.
type Summary struct {
	Images   int            `json:"images"`
	Found    int            `json:"found"`
	Missing  int            `json:"missing"`
	Failed   int            `json:"failed"`
	NotAsked int            `json:"notAsked"`
	From     map[string]int `json:"from"` // images by the registry that has them
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
	Attempts  []failure.Record `json:"attempts"`

	attempts []provider.Attempt
	lacks    *Lack
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

// New makes a report of results. Its Image, Digest, Version, Platforms and Notices are
// the caller's to fill in.
func New(results []Result) *Report {
	r := &Report{Platforms: []string{}, Complete: true, Summary: Summary{Images: len(results), From: map[string]int{}}, Images: []Image{}}
	for _, res := range results {
		c := Image{
			Name: res.Names[0], Aliases: output.List(res.Names[1:]), Image: res.Image.String(),
			Attempts: []failure.Record{}, attempts: AttemptsOf(res.Result), lacks: res.Lack,
		}
		for _, at := range c.attempts {
			c.Attempts = append(c.Attempts, failure.RecordOf(at))
		}
		c.Status = res.status()
		switch c.Status {
		case Found:
			c.From = res.Found.From.String()
			r.Summary.Found++
			r.Summary.From[res.Found.From.Registry()]++
		case Missing:
			c.Error = res.words()
			r.Summary.Missing++
		case Failed:
			c.Error = res.words()
			r.Summary.Failed++
		default:
			c.Error = "not asked for: the command ended before"
			r.Summary.NotAsked++
			r.Complete = false
		}
		if res.Lack != nil && !res.Lack.Elsewhere.IsZero() {
			c.Elsewhere = res.Lack.Elsewhere.String()
		}
		r.Images = append(r.Images, c)
	}
	return r
}

func (res *Result) status() string {
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
func (res *Result) words() string {
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

// Code returns the exit code: not found if an image is missing, else that of the worst
// failure, and unreachable where the time was too short to ask for all.
func (r *Report) Code(results []Result) int {
	if r.Summary.Missing > 0 {
		return failure.ExitNotFound
	}
	code := failure.ExitOK
	for _, res := range results {
		switch attempts := AttemptsOf(res.Result); {
		case res.Unfinished:
			code = failure.Worse(code, failure.ExitUnreachable)
		case res.Lack != nil:
			code = failure.Worse(code, failure.Code(res.Lack.Err))
		case res.Err == nil:
		case len(attempts) > 0:
			code = failure.Worse(code, failure.AttemptsCode(res.Image, attempts))
		default:
			code = failure.Worse(code, failure.Code(res.Err))
		}
	}
	return code
}
