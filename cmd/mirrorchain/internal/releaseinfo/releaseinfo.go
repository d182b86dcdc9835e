// Package releaseinfo is the result of release info: what is in a release, and who
// served it.
package releaseinfo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Info is the result's JSON.
type Info struct {
	Image string `json:"image"`
	// Digest is what was asked for, or what the tag names: the index's, where the
	// image is one. InstanceDigest is that of the manifest that was read.
	Digest            string            `json:"digest"`
	InstanceDigest    string            `json:"instanceDigest"`
	PulledFrom        string            `json:"pulledFrom"`
	Version           string            `json:"version"`
	Stale             bool              `json:"stale"`              // of an earlier run, because no endpoint answers
	Platform          string            `json:"platform,omitempty"` // only where it was chosen from an index
	IndexPlatforms    []string          `json:"indexPlatforms"`     // of that index; empty where there is none, or not known
	Created           *time.Time        `json:"created"`            // null where image-references does not say
	Metadata          Metadata          `json:"metadata"`
	Attempts          []failure.Record  `json:"attempts"`
	ComponentVersions map[string]string `json:"componentVersions"`
	Components        []Component       `json:"components"`
	BootImages        []BootImage       `json:"bootImages"`
	// Size is what all images take, a layer that several of them have counted once. It is
	// left out without --size.
	Size *int64 `json:"size,omitempty"`
	// Verification is the result of release verify. It is left out without --verify.
	Verification *verifyreport.Report `json:"verification,omitempty"`
	notices.Notices
}

// Metadata is what release-metadata says.
type Metadata struct {
	Previous []string `json:"previous"`
	Next     []string `json:"next"`
	URL      string   `json:"url"`
}

// Component is one image of the release.
type Component struct {
	Name       string `json:"name"`
	Image      string `json:"image"`
	Canonical  string `json:"canonical"`
	Repository string `json:"repository"` // what it was built from; "" if not stated
	Commit     string `json:"commit"`     // "" if not stated
	CommitURL  string `json:"commitUrl"`  // "" if not known
	// Size is config and layers as they are transferred, in bytes. It is left out without
	// --size, and where it is not known.
	Size *int64 `json:"size,omitempty"`
}

// Chosen is the JSON of the components that were asked for alone.
type Chosen struct {
	Components []Component `json:"components"`
	notices.Notices
}

// ComponentOf returns c for JSON.
func ComponentOf(c provider.Component) Component {
	source := c.Source()
	return Component{
		Name: c.Name, Image: c.Image.String(), Canonical: c.Canonical.String(),
		Repository: source.Repository, Commit: source.Commit, CommitURL: source.URL(),
	}
}

// New makes the result of looking up ref, which the user wrote as text.
func New(text string, ref imageref.Ref, rel *provider.Release, n notices.Notices) Info {
	r := Info{
		Image: text, Digest: digest(ref, rel), InstanceDigest: rel.Digest(), PulledFrom: rel.PulledFrom().String(),
		Version: rel.Version(), Stale: rel.Stale(), Platform: rel.Platform().String(), IndexPlatforms: []string{},
		Attempts: []failure.Record{}, ComponentVersions: rel.ComponentVersions(), Components: []Component{}, BootImages: []BootImage{}, Notices: n,
	}
	for _, p := range rel.IndexPlatforms() {
		r.IndexPlatforms = append(r.IndexPlatforms, p.String())
	}
	m := rel.Metadata()
	r.Metadata = Metadata{output.List(m.Previous), output.List(m.Next), m.URL}
	if t := rel.Created(); !t.IsZero() {
		t = t.UTC()
		r.Created = &t
	}
	for at := range rel.Attempts() {
		r.Attempts = append(r.Attempts, failure.RecordOf(at))
	}
	for c := range rel.Components() {
		r.Components = append(r.Components, ComponentOf(c))
	}
	return r
}

// digest returns the digest of what ref names.
func digest(ref imageref.Ref, rel *provider.Release) string {
	return cmp.Or(rel.IndexDigest(), ref.Digest(), rel.Digest())
}

// Text writes the release in the order and words of `oc adm release info`, with who
// served it.
func Text(w io.Writer, show Show, ref imageref.Ref, rel *provider.Release) {
	rows := [][]string{
		{"Name:", rel.Version()},
		{"Digest:", digest(ref, rel)},
	}
	if d := rel.Digest(); d != digest(ref, rel) {
		rows = append(rows, []string{"Instance:", fmt.Sprintf("%s (%s)", d, rel.Platform())})
	}
	if t := rel.Created(); !t.IsZero() {
		rows = append(rows, []string{"Created:", t.UTC().Format(time.RFC3339)})
	}
	if p := rel.Platform(); !p.IsZero() {
		rows = append(rows, []string{"OS/Arch:", p.String() + others(rel)})
	}
	rows = append(rows,
		[]string{"Asked For:", ref.Normalize().String()},
		[]string{"Served By:", servedBy(rel)},
	)
	for at := range rel.Attempts() {
		if at.Err != nil {
			rows = append(rows,
				[]string{"Failed:", fmt.Sprintf("%s (after %s)", at.Ref, words.Duration(at.Took))},
				[]string{"", "  " + failure.Attempt(at.Ref, at.Err)})
		}
	}
	output.Table(w, "", rows)

	fmt.Fprintln(w, "\nRelease Metadata:")
	m := rel.Metadata()
	meta := [][]string{{"Version:", rel.Version()}}
	if len(m.Previous) > 0 {
		meta = append(meta, []string{"Upgrades:", strings.Join(m.Previous, ", ")})
	}
	if m.URL != "" {
		meta = append(meta, []string{"URL:", m.URL})
	}
	output.Table(w, "  ", meta)

	if rows := versions(rel); len(rows) > 0 {
		fmt.Fprintln(w, "\nComponent Versions:")
		output.Table(w, "  ", rows)
	}

	fmt.Fprintln(w, "\nImages:")
	if show.none() {
		show.PullSpecs = true
	}
	show.write(w, table.Look{Full: true}, slices.Collect(rel.Components()))
}

// versions returns the versions of components, sorted by what they are of.
func versions(rel *provider.Release) [][]string {
	var rows [][]string
	all := rel.ComponentVersions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		rows = append(rows, []string{name, all[name]})
	}
	return rows
}

// others returns what else the index has, in parentheses.
func others(rel *provider.Release) string {
	var names []string
	for _, p := range rel.IndexPlatforms() {
		if p != rel.Platform() {
			names = append(names, p.String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (the index also has " + strings.Join(names, ", ") + ")"
}

// servedBy returns the endpoint that answered, and how many failed before it.
func servedBy(rel *provider.Release) string {
	n, took := 0, ""
	for at := range rel.Attempts() {
		n++
		if at.Err == nil {
			took = words.Duration(at.Took).String()
		}
	}
	s := rel.PulledFrom().String()
	switch {
	case rel.Stale():
		return s + " (earlier; no endpoint answers now)"
	case took == "":
		return s
	case n == 1:
		return fmt.Sprintf("%s (in %s, at the first attempt)", s, took)
	}
	return fmt.Sprintf("%s (in %s, after %s)", s, took, words.Plural(n-1, "failed attempt"))
}
