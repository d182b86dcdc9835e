package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// releaseText is in the order and words of `oc adm release info`, with who
// served it.
func releaseText(w io.Writer, ref refArg, rel *provider.Release) {
	rows := [][]string{
		{"Name:", rel.Version()},
		{"Digest:", rel.Digest()},
	}
	if t := rel.Created(); !t.IsZero() {
		rows = append(rows, []string{"Created:", t.UTC().Format(time.RFC3339)})
	}
	if p := rel.Platform(); !p.IsZero() {
		rows = append(rows, []string{"OS/Arch:", p.String()})
	}
	rows = append(rows,
		[]string{"Asked For:", ref.Normalize().String()},
		[]string{"Served By:", servedBy(rel)},
	)
	for at := range rel.Attempts() {
		if at.Err != nil {
			rows = append(rows, []string{"Failed:", fmt.Sprintf("%s (after %s)", at.Ref, round(at.Took))})
			rows = append(rows, []string{"", "  " + sayAttempt(at.Ref, at.Err)})
		}
	}
	table(w, "", rows)

	fmt.Fprintln(w, "\nRelease Metadata:")
	m := rel.Metadata()
	meta := [][]string{{"Version:", rel.Version()}}
	if len(m.Previous) > 0 {
		meta = append(meta, []string{"Upgrades:", strings.Join(m.Previous, ", ")})
	}
	if m.URL != "" {
		meta = append(meta, []string{"URL:", m.URL})
	}
	table(w, "  ", meta)

	if versions := rel.ComponentVersions(); len(versions) > 0 {
		fmt.Fprintln(w, "\nComponent Versions:")
		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(versions)) {
			rows = append(rows, []string{name, versions[name]})
		}
		table(w, "  ", rows)
	}

	fmt.Fprintln(w, "\nImages:")
	images := [][]string{{"NAME", "PULL SPEC"}}
	for c := range rel.Components() {
		images = append(images, []string{c.Name, c.Image.String()})
	}
	table(w, "  ", images)
}

// servedBy is the endpoint that answered, and its place in the order.
func servedBy(rel *provider.Release) string {
	n, took := 0, ""
	for at := range rel.Attempts() {
		n++
		if at.Err == nil {
			took = round(at.Took).String()
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
	return fmt.Sprintf("%s (in %s, after %s)", s, took, plural(n-1, "failed attempt"))
}
