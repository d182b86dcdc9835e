package checkreport

import (
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Text writes the report for a person: counts, what each mirror has, and what is not
// available, in groups that failed alike.
func (r *Report) Text(w io.Writer, l table.Look) {
	fmt.Fprint(w, output.Line("%s", r.Headline()))
	r.matrix(w, l)
	if r.From != "" {
		r.faults(w, "Missing or not complete", Missing)
		r.faults(w, "Damaged or not readable", Failed)
	} else {
		r.list(w, "Missing", Missing)
		r.list(w, "Could not be asked for", Failed)
		r.partial(w)
	}
	for _, v := range r.GPG {
		fmt.Fprintln(w)
		v.Text(w)
	}
	if r.Signatures != nil {
		r.Signatures.Text(w)
	}
}

// Headline says in one line what came of it.
func (r *Report) Headline() string {
	text := r.Summary.words(r.From != "")
	if r.Summary.Partial > 0 {
		text += fmt.Sprintf("; %d not on every mirror", r.Summary.Partial)
	}
	if len(r.Releases) == 0 && r.From == "" {
		return strings.ToUpper(text[:1]) + text[1:]
	}
	subject := r.subject()
	return strings.ToUpper(subject[:1]) + subject[1:] + ": " + text
}

// subject names what was checked: "release 4.17.3".
func (r *Report) subject() string {
	var versions []string
	for _, rel := range r.Releases {
		versions = append(versions, rel.Version)
	}
	text := "images"
	switch len(versions) {
	case 0:
	case 1:
		text = "release " + versions[0]
	default:
		text = "releases " + strings.Join(versions, ", ")
	}
	if r.From != "" {
		text += " in " + r.From
	}
	return text
}

// matrix writes how many images each mirror has.
func (r *Report) matrix(w io.Writer, l table.Look) {
	t := table.Table{Indent: "  ", Columns: []table.Column{
		{Title: "REGISTRY", Cut: table.Address}, {Title: "FOUND", Right: true, Cut: table.Never}, {Title: "MISSING", Right: true, Cut: table.Never},
		{Title: "FAILED", Right: true, Cut: table.Never}, {Title: "NOT ASKED", Right: true, Cut: table.Never},
	}}
	for _, m := range r.Mirrors {
		cell := func(n int, s table.State) table.Cell {
			if n == 0 {
				return table.Cell{}
			}
			if !l.Terminal {
				s = table.None // a mark before a number is for eyes
			}
			return table.Cell{Text: fmt.Sprint(n), State: s}
		}
		t.Add(table.Plain(m.label()), plainly(cell(m.Found, table.Good)), cell(m.Missing, table.Bad), cell(m.Failed, table.Bad), plainly(cell(m.NotAsked, table.NotAsked)))
	}
	if t.Len() > 0 {
		t.Write(w, l)
	}
}

// plainly takes the state away: what needs no attention has no mark.
func plainly(c table.Cell) table.Cell {
	c.State = table.None
	return c
}

func (m *Mirror) label() string {
	if m.Source {
		return m.Name + " (source)"
	}
	return m.Name
}

// faults lists images on disk with what is wrong with each.
func (r *Report) faults(w io.Writer, title, status string) {
	for _, c := range r.Images {
		if c.Status != status {
			continue
		}
		if title != "" {
			fmt.Fprintf(w, "\n%s:\n", title)
			title = ""
		}
		fmt.Fprint(w, output.Line("  %s  %s", c.names(), c.Image), output.Line("    %s", c.Error))
	}
}

// partial lists images that some mirrors have and others do not, in groups that are alike.
func (r *Report) partial(w io.Writer) {
	var images []Image
	for _, c := range r.Images {
		if r.allMirrors && c.Status == Found && c.partial {
			images = append(images, c)
		}
	}
	if len(images) > 0 {
		fmt.Fprintln(w, "\nNot on every mirror:")
	}
	for i, group := range output.Grouped(images, (*Image).where) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprint(w, output.Line("  %s", group[0].where()))
		writeNames(w, group)
	}
}

// where says which mirrors have the image, and which do not.
func (c *Image) where() string {
	by := make(map[string][]string)
	for _, cell := range c.Mirrors {
		by[cell.Status] = append(by[cell.Status], cell.Mirror)
	}
	var parts []string
	for _, p := range []struct{ status, words string }{{Missing, "missing on "}, {Failed, "could not be asked for on "}, {Found, "found on "}} {
		if names := by[p.status]; len(names) > 0 {
			parts = append(parts, p.words+strings.Join(names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func (r *Report) list(w io.Writer, title, status string) {
	var images []Image
	for _, c := range r.Images {
		if c.Status == status {
			images = append(images, c)
		}
	}
	if len(images) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for i, group := range alike(images) {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for _, line := range group[0].cause() {
			fmt.Fprintln(w, "  "+line)
		}
		writeNames(w, group)
	}
}

func writeNames(w io.Writer, images []Image) {
	var rows [][]string
	for _, c := range images {
		rows = append(rows, []string{c.names(), c.Image})
	}
	output.Table(w, "    ", rows)
}

// alike puts images together that failed alike: a mirror that is away, or that was
// never filled, fails for all of them.
func alike(images []Image) [][]Image { return output.Grouped(images, (*Image).key) }

// key returns the same text for images that failed alike.
func (c *Image) key() string {
	if l := c.lacks; l != nil {
		return fmt.Sprintln("lacks", l.At.Name(), l.Platform, provider.ClassOf(l.Err), l.Elsewhere.Name())
	}
	if len(c.attempts) == 0 {
		return c.Error
	}
	var key strings.Builder
	for _, a := range c.attempts {
		fmt.Fprintln(&key, a.Ref.Name(), provider.ClassOf(a.Err), failure.Status(a.Err))
	}
	return key.String()
}

// cause returns why the image is not available, in lines that hold for all of its
// group: they name repositories and no digests.
func (c *Image) cause() []string {
	if l := c.lacks; l != nil {
		lines := []string{l.Error(), "a node chooses a mirror by the index and asks no other one for the entry"}
		if !l.Elsewhere.IsZero() {
			lines = append(lines, "lookups of mirrorchain would go on, and find it on "+l.Elsewhere.Name())
		}
		return lines
	}
	if len(c.attempts) == 0 {
		return []string{c.Error}
	}
	var lines []string
	n := 0
	for _, a := range c.attempts {
		text := strings.ReplaceAll(failure.Attempt(a.Ref, a.Err), "@"+a.Ref.Digest(), "")
		if failure.Blocked(a) {
			lines = append(lines, fmt.Sprintf("-  %s", a.Ref.Name()), "   not asked: "+text)
			continue
		}
		n++
		lines = append(lines, fmt.Sprintf("%d. %s", n, a.Ref.Name()), "   "+text)
	}
	return lines
}

func (c *Image) names() string {
	return strings.Join(append([]string{c.Name}, c.Aliases...), ", ")
}

// words says what was found, of images on disk that they are complete.
func (s *Summary) words(disk bool) string {
	good, failed := "available", "could not be asked for"
	if disk {
		good, failed = "complete", "damaged or not readable"
	}
	switch {
	case s.Images == 1 && s.Found == 1:
		return "the image is " + good
	case s.Images == 1 && s.Missing == 1:
		return "the image is missing"
	case s.Images == 1 && s.Failed == 1 && disk:
		return "the image is " + failed
	case s.Images == 1 && s.Failed == 1:
		return "the image " + failed
	case s.Found == s.Images:
		return fmt.Sprintf("all %d images are %s", s.Images, good)
	}
	text := fmt.Sprintf("%d of %d images are %s", s.Found, s.Images, good)
	if s.Missing > 0 {
		text += fmt.Sprintf(", %d missing", s.Missing)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d %s", s.Failed, failed)
	}
	if s.NotAsked > 0 {
		text += fmt.Sprintf(", %d not asked for yet", s.NotAsked)
	}
	return text
}
