package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/provider"
)

// checkReport is release check's JSON.
type checkReport struct {
	Image     string         `json:"image"`
	Digest    string         `json:"digest"`
	Version   string         `json:"version"`
	Platforms []string       `json:"platforms"`
	Summary   checkSummary   `json:"summary"`
	Images    []checkedImage `json:"images"`
}

type checkSummary struct {
	Images  int            `json:"images"`
	Found   int            `json:"found"`
	Missing int            `json:"missing"`
	Failed  int            `json:"failed"`
	From    map[string]int `json:"from"` // images by the registry that has them
}

// What came of an image.
const (
	statusFound   = "found"
	statusMissing = "missing" // an endpoint says that it has no such image, and none has it
	statusFailed  = "failed"  // nothing that was asked could say
)

type checkedImage struct {
	Name     string    `json:"name"`
	Image    string    `json:"image"`
	Status   string    `json:"status"`
	From     string    `json:"from"`  // "" unless found
	Error    string    `json:"error"` // "" if found
	Attempts []attempt `json:"attempts"`

	attempts []provider.Attempt
}

func reportOf(ref refArg, list *releaseList, results []check.Result) *checkReport {
	r := &checkReport{
		Image: ref.Text, Digest: list.digest, Version: list.version, Platforms: append([]string{}, list.platforms...),
		Summary: checkSummary{Images: len(results), From: map[string]int{}}, Images: []checkedImage{},
	}
	for _, res := range results {
		c := checkedImage{Name: res.Name, Image: res.Image.String(), Attempts: []attempt{}, attempts: attemptsOf(res)}
		for _, at := range c.attempts {
			c.Attempts = append(c.Attempts, attemptOf(at))
		}
		switch {
		case res.Err == nil:
			c.Status, c.From = statusFound, res.Found.From.String()
			r.Summary.Found++
			r.Summary.From[res.Found.From.Registry()]++
		case res.Missing():
			c.Status, c.Error = statusMissing, sayResult(res)
			r.Summary.Missing++
		default:
			c.Status, c.Error = statusFailed, sayResult(res)
			r.Summary.Failed++
		}
		r.Images = append(r.Images, c)
	}
	return r
}

// sayResult is the error in one line; the attempts have the rest.
func sayResult(res check.Result) string {
	if e, ok := errors.AsType[*chain.Error](res.Err); ok && len(e.Attempts) > 0 {
		return fmt.Sprintf("not to be had (%s)", sayAsked(e.Attempts, ""))
	}
	return res.Err.Error()
}

// code is that of missing images, or of the failures.
func (r *checkReport) code(results []check.Result) int {
	if r.Summary.Missing > 0 {
		return exitNotFound
	}
	code := exitOK
	for _, res := range results {
		if res.Err == nil {
			continue
		}
		if at := attemptsCode(res.Image, attemptsOf(res)); at != exitOK {
			code = worse(code, at)
		} else {
			code = worse(code, exitCode(res.Err))
		}
	}
	return code
}

func checkText(w io.Writer, r *checkReport) {
	fmt.Fprintf(w, "Release %s: %s\n", r.Version, sayCounts(r.Summary))
	rows := [][]string{}
	for _, host := range slices.Sorted(maps.Keys(r.Summary.From)) {
		rows = append(rows, []string{"on " + host, fmt.Sprint(r.Summary.From[host])})
	}
	table(w, "  ", rows)
	list := func(title, status string) []checkedImage {
		var of []checkedImage
		for _, c := range r.Images {
			if c.Status == status {
				of = append(of, c)
			}
		}
		if len(of) > 0 {
			fmt.Fprintf(w, "\n%s:\n", title)
		}
		return of
	}
	for _, c := range list("Missing", statusMissing) {
		fmt.Fprintf(w, "  %s\n    %s\n", oneLine(c.Name), indentBy("    ", c.words()))
	}
	for _, like := range alike(list("Could not be asked for", statusFailed)) {
		var names []string
		for _, c := range like {
			names = append(names, oneLine(c.Name))
		}
		fmt.Fprintf(w, "  %s\n    %s\n", strings.Join(names, ", "), indentBy("    ", like[0].words()))
	}
}

func indentBy(indent, text string) string { return strings.ReplaceAll(text, "\n", "\n"+indent) }

// alike puts images together that failed alike, since a mirror that is away fails
// for all of them.
func alike(images []checkedImage) [][]checkedImage {
	var groups [][]checkedImage
	at := make(map[string]int)
	for _, c := range images {
		var key strings.Builder
		for _, a := range c.attempts {
			fmt.Fprintln(&key, a.Ref.Name(), provider.ClassOf(a.Err), statusOf(a.Err))
		}
		if len(c.attempts) == 0 {
			key.WriteString(c.Image) // a reason of its own
		}
		i, ok := at[key.String()]
		if !ok {
			i = len(groups)
			at[key.String()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// words are the image and who was asked for it, in lines.
func (c *checkedImage) words() string {
	if len(c.attempts) == 0 {
		return c.Image + "\n  " + oneLine(c.Error)
	}
	return (&failedLookup{head: c.Image, attempts: c.attempts}).Error()
}

func sayCounts(s checkSummary) string {
	if s.Found == s.Images {
		return fmt.Sprintf("all %d images are to be had", s.Images)
	}
	text := fmt.Sprintf("%d of %d images are to be had", s.Found, s.Images)
	if s.Missing > 0 {
		text += fmt.Sprintf(", %d missing", s.Missing)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d could not be asked for", s.Failed)
	}
	return text
}
