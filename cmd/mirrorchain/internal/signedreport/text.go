package signedreport

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

var titles = []struct{ status, title string }{
	{Missing, "No signature where nodes look for it"}, {Bad, "Signatures that nodes would refuse"}, {Failed, "Signatures that could not be asked for"},
}

// Text writes the report for a person: what each mirror has, what nodes would not accept,
// in groups with one reason, and the answer at the end.
func (r *Signatures) Text(w io.Writer) {
	if r.Images > 0 {
		fmt.Fprintf(w, "\nSignatures of %s:\n", words.Plural(r.Images, "image"))
	}
	var rows [][]string
	for _, m := range r.Mirrors {
		rows = append(rows, []string{m.Name, m.words()})
	}
	output.Table(w, "  ", rows)
	for _, t := range titles {
		for _, g := range r.groups(t.status) {
			title := t.title
			switch {
			case g[0].unread:
				title = "Signatures that nodes do not look for"
			case g[0].rejected:
				title = "Images that nodes reject"
			}
			fmt.Fprint(w, "\n"+output.Line("%s, on %s:", title, g[0].Mirror))
			if reason := g[0].reason(); t.status != Missing || g[0].unread {
				fmt.Fprint(w, output.Line("  %s", reason))
			}
			rows = nil
			for _, c := range g {
				rows = append(rows, []string{strings.TrimSpace(c.Name + " " + c.Platform), c.At})
			}
			output.Table(w, "    ", rows)
		}
	}
	fmt.Fprint(w, "\n"+output.Line("%s", r.Nodes))
}

func (m *SignedMirror) words() string {
	parts := []string{fmt.Sprintf("%d good", m.Good)}
	for _, p := range []struct {
		n    int
		what string
	}{{m.Missing, Missing}, {m.Bad, Bad}, {m.Failed, Failed}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// groups returns the checks of one status that have their mirror and their reason in
// common.
func (r *Signatures) groups(status string) [][]SignedManifest {
	checks := slices.DeleteFunc(slices.Clone(r.Checks), func(c SignedManifest) bool { return c.Status != status })
	return output.Grouped(checks, func(c *SignedManifest) string { return c.Mirror + "\n" + c.reason() })
}

// reason returns the error without what differs from image to image.
func (c *SignedManifest) reason() string {
	tag := c.At[strings.LastIndexByte(c.At, ':')+1:]
	return strings.ReplaceAll(c.Error, strings.Replace(strings.TrimSuffix(tag, ".sig"), "-", ":", 1), "sha256:...")
}
