package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const intro = `# Benchmarks

Written by ` + "`make bench`" + `: do not edit. [profiles.md](profiles.md) says what profiles of the same code showed.

A ratio compares two figures of one run on one machine, each the median of its repetitions; a time alone only hints at a
scale. A peer that cannot be built from the Go module proxy, or needs a cluster, is quoted from the day on which it was
measured, on two cores. *met* is what this run says: **no** is a target that was missed; *asserted* is a count, not a time:
the tests named there fail if it is not so, and ` + "`make test`" + ` runs them. A test is named as ` + "`package.Test/subtest`" + `.
`

const (
	figuresHead = "| id | case | target | ours | peer, or beside it | ratio, or more | met | shown by |\n|---|---|---|---|---|---|---|---|\n"
	holdsHead   = "| id | what breaks | what holds | shown by |\n|---|---|---|---|\n"
)

// write writes the document of a run. kept are rows of an earlier one, by [line.key]: of
// what this run did not measure.
func write(w io.Writer, m machine, rs results, kept map[string]string) error {
	var b strings.Builder
	b.WriteString(intro)
	b.WriteString("\n## Machine\n\n")
	for _, f := range m {
		fmt.Fprintf(&b, "- %s: %s\n", f[0], f[1])
	}
	b.WriteString("\n## Fast\n\n" + figuresHead)
	for _, l := range lines() {
		if row := kept[l.key()]; row != "" {
			b.WriteString(row + "\n")
			continue
		}
		ours, peer, ratio, met := l.cells(rs)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", l.id, l.what, l.target, ours, peer, ratio, met, names(l.shown))
	}
	b.WriteString("\n## When things break\n\nNone of this has a figure: the tests show it.\n\n" + holdsHead)
	for _, h := range holds() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", h.id, h.breaks, h.holds, names(h.shown))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func names(tests []string) string { return "`" + strings.Join(tests, "` `") + "`" }

// cells returns what a run says of l.
func (l line) cells(rs results) (ours, peer, ratio, met string) {
	if l.measure == nil {
		return "", "", "", string(asserted)
	}
	f := l.measure(rs)
	peer = f.quoted
	if peer == "" && f.peer.ok {
		peer = f.peer.String()
	}
	met = string(f.met)
	switch {
	case f.met == notMeasured:
		if why := rs.why(l.shown); why != "" {
			met += ": " + why
		}
	case f.met == no && l.why != "":
		met += ": " + l.why
	case f.met == no && rs.busy:
		met += ": the machine was busy with other work, measure again"
	case f.met == yes && l.target == "":
		met = "" // there was nothing to meet
	}
	switch {
	case f.ratio.ok:
		ratio = f.ratio.String()
	case f.more.ok && f.more.v >= 0:
		ratio = "+" + f.more.String()
	case f.more.ok:
		ratio = f.more.String()
	}
	return f.ours.String(), peer, ratio, met
}

// why says what became of the jobs of some tests, if they failed.
func (rs results) why(tests []string) string {
	for _, t := range tests {
		if why := rs.failed[t]; why != "" {
			return strings.ReplaceAll(why, "|", "/")
		}
	}
	return ""
}

// print writes the table of figures for a terminal.
func print(w io.Writer, rs results) (missed int) {
	rows := [][]string{{"id", "case", "target", "ours", "peer", "ratio", "met"}}
	for _, l := range lines() {
		if l.measure == nil {
			continue
		}
		ours, peer, ratio, met := l.cells(rs)
		if l.measure(rs).met != yes {
			missed++
		}
		rows = append(rows, []string{l.id, l.what, l.target, ours, peer, ratio, strings.ReplaceAll(met, "*", "")})
	}
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			b.WriteString(cell + strings.Repeat(" ", width[i]-len([]rune(cell))+2))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	return missed
}

// shape returns a document without what differs from run to run: the figures, the
// verdicts and what the machine is.
func shape(document string) []string {
	all := strings.Split(document, "\n")
	for i, text := range all {
		cells := strings.Split(text, "|")
		switch {
		case len(cells) == 10 && !strings.HasPrefix(text, "|---"): // of figures
			all[i] = strings.Join(slices.Concat(cells[:4], cells[8:]), "|")
		case strings.HasPrefix(text, "- "):
			label, _, _ := strings.Cut(text, ":")
			all[i] = label
		}
	}
	return all
}
