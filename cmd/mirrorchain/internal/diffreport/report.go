// Package diffreport is the result of release diff: what differs between two releases,
// and what of the second one is not on the mirrors.
package diffreport

import (
	"cmp"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/releasediff"
)

// Report is the result's JSON.
type Report struct {
	From       Release     `json:"from"`
	To         Release     `json:"to"`
	Components Components  `json:"components"`
	Versions   []Version   `json:"versions"`
	BootImages []BootImage `json:"bootImages"`
	// Mirrors is null without --check.
	Mirrors *Mirrors `json:"mirrors"`
	notices.Notices

	commits bool
}

// Release is one of the two.
type Release struct {
	Image      string           `json:"image"`
	Digest     string           `json:"digest"`
	Version    string           `json:"version"`
	PulledFrom string           `json:"pulledFrom"`
	Attempts   []failure.Record `json:"attempts"`
}

// Components are lists by what happened to them.
type Components struct {
	Added     []Component `json:"added"`
	Removed   []Component `json:"removed"`
	Changed   []Change    `json:"changed"`
	Rebuilt   []Change    `json:"rebuilt"`
	Unchanged int         `json:"unchanged"`
}

// Component is the image of a component in one release.
type Component struct {
	Name string `json:"name"`
	Side
}

// Side is what one release has for a component.
type Side struct {
	Image      string `json:"image"`
	Repository string `json:"repository"` // what it was built from; "" if not stated
	Commit     string `json:"commit"`     // "" if not stated
}

// Change is a component with two images.
type Change struct {
	Name string `json:"name"`
	From Side   `json:"from"`
	To   Side   `json:"to"`
	// CompareURL shows the commits between the two, "" if that is not known.
	CompareURL string `json:"compareUrl"`
}

// Version is a version that differs; "" where a release states none.
type Version struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// BootImage is a platform whose machines start from something else; "" where a release
// has nothing for it.
type BootImage struct {
	Stream       string `json:"stream"` // "" is the default one
	Architecture string `json:"architecture"`
	Name         string `json:"name"` // the platform: "aws"
	From         string `json:"from"`
	To           string `json:"to"`
}

// Mirrors says what of the second release is on the mirrors.
type Mirrors struct {
	Complete bool                `json:"complete"` // false where the command ended before it had asked for everything
	Summary  checkreport.Summary `json:"summary"`
	// Lacking are the images that are not available.
	Lacking []Lacking `json:"lacking"`
}

// Lacking is an image that is not available.
type Lacking struct {
	Name   string `json:"name"`
	Image  string `json:"image"`
	Status string `json:"status"` // as in release check
	Error  string `json:"error"`
}

// NewRelease returns rel as one of the two; image is what the user wrote.
func NewRelease(image string, rel *provider.Release) Release {
	r := Release{
		Image: image, Digest: cmp.Or(rel.IndexDigest(), rel.Image().Digest(), rel.Digest()),
		Version: rel.Version(), PulledFrom: rel.PulledFrom().String(), Attempts: []failure.Record{},
	}
	for at := range rel.Attempts() {
		r.Attempts = append(r.Attempts, failure.RecordOf(at))
	}
	return r
}

// New makes a report of what differs. Mirrors and Notices are the caller's to fill in.
// With commits the text has the commits instead of the images.
func New(from, to Release, d *releasediff.Diff, boot []releasediff.BootImage, commits bool) *Report {
	r := &Report{
		From: from, To: to, Versions: []Version{}, BootImages: []BootImage{}, commits: commits,
		Components: Components{[]Component{}, []Component{}, []Change{}, []Change{}, d.Unchanged},
	}
	for _, c := range d.Added {
		r.Components.Added = append(r.Components.Added, Component{c.Name, sideOf(c)})
	}
	for _, c := range d.Removed {
		r.Components.Removed = append(r.Components.Removed, Component{c.Name, sideOf(c)})
	}
	for _, c := range d.Changed {
		r.Components.Changed = append(r.Components.Changed, changeOf(c))
	}
	for _, c := range d.Rebuilt {
		r.Components.Rebuilt = append(r.Components.Rebuilt, changeOf(c))
	}
	for _, v := range d.Versions {
		r.Versions = append(r.Versions, Version(v))
	}
	for _, b := range boot {
		r.BootImages = append(r.BootImages, BootImage(b))
	}
	return r
}

func sideOf(c provider.Component) Side {
	s := c.Source()
	return Side{c.Image.String(), s.Repository, s.Commit}
}

func changeOf(c releasediff.Change) Change {
	return Change{c.To.Name, sideOf(c.From), sideOf(c.To), c.CompareURL()}
}

// NewMirrors returns what a check of the second release found.
func NewMirrors(r *checkreport.Report) *Mirrors {
	m := &Mirrors{Complete: r.Complete, Summary: r.Summary, Lacking: []Lacking{}}
	for _, i := range r.Images {
		if i.Status != checkreport.Found {
			m.Lacking = append(m.Lacking, Lacking{i.Name, i.Image, i.Status, i.Error})
		}
	}
	return m
}

// Format writes the report as Markdown.
func (r *Report) Format(f output.Format) ([]byte, error) { return r.markdown(), nil }
