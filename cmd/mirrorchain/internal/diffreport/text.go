package diffreport

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// Text writes the report for a person.
func (r *Report) Text(w io.Writer, l table.Look) {
	arrow := " → "
	if l.ASCII {
		arrow = " -> "
	}
	l.Line(w, table.Plain(r.From.Version+arrow+r.To.Version))
	for _, side := range []Release{r.From, r.To} {
		name := strings.TrimSuffix(side.Image, "@"+side.Digest)
		l.Line(w, table.Plain("  "+name+"  "+l.Digest(side.Digest)))
	}
	for _, s := range r.sections() {
		s.text(w, l)
	}
	if r.same() {
		fmt.Fprintln(w, "\nThe same components, versions and boot images.")
	}
	r.mirrorsText(w, l)
}

func (r *Report) same() bool {
	c := r.Components
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Rebuilt)+len(r.Versions)+len(r.BootImages) == 0
}

// section is a heading with a table. Cells are digests, which a terminal has short.
type section struct {
	title   string
	columns []table.Column
	rows    [][]string
}

// sections returns what differs, in the order in which it is read.
func (r *Report) sections() []section {
	name := table.Column{Title: "NAME", Cut: table.Address}
	pair := []table.Column{name, {Title: "FROM", Cut: table.Never}, {Title: "TO", Cut: table.Never}}
	versions := section{title: "Versions", columns: []table.Column{name, {Title: "FROM", Cut: table.Address}, {Title: "TO", Cut: table.Address}}}
	for _, v := range r.Versions {
		versions.rows = append(versions.rows, []string{v.Name, output.Dash(v.From), output.Dash(v.To)})
	}
	one := func(title string, cs []Component) section {
		s := section{title: title, columns: []table.Column{name, {Title: "IMAGE", Cut: table.Never}}}
		for _, c := range cs {
			image := output.DigestOf(c.Image)
			if r.commits {
				s.columns[1].Title = "COMMIT"
				image = output.Dash(c.Commit)
			}
			s.rows = append(s.rows, []string{c.Name, image})
		}
		return s
	}
	two := func(title string, cs []Change) section {
		s := section{title: title, columns: pair}
		for _, c := range cs {
			s.rows = append(s.rows, []string{c.Name, output.DigestOf(c.From.Image), output.DigestOf(c.To.Image)})
		}
		return s
	}
	changed := two("Changed", r.Components.Changed)
	if r.commits {
		changed.columns, changed.rows = []table.Column{{Title: "NAME", Cut: table.Never}, {Title: "COMMITS", Cut: table.Never}}, nil
		for _, c := range r.Components.Changed {
			changed.rows = append(changed.rows, []string{c.Name, c.commits()})
		}
	}
	return []section{
		versions, one("Added", r.Components.Added), one("Removed", r.Components.Removed),
		changed, two("Rebuilt of the same commit", r.Components.Rebuilt), r.bootSection(),
	}
}

// commits returns the link to the commits, or the two commits where there is none.
func (c *Change) commits() string {
	if c.CompareURL != "" {
		return c.CompareURL
	}
	return output.Dash(c.From.Commit) + "..." + output.Dash(c.To.Commit)
}

// bootSection has the platforms that change alike in one row.
func (r *Report) bootSection() section {
	s := section{title: "Boot images", columns: []table.Column{{Title: "STREAM", Cut: table.Never}, {Title: "ARCH", Cut: table.Never}, {Title: "FROM", Cut: table.Address}, {Title: "TO", Cut: table.Address}, {Title: "PLATFORMS"}}}
	at := make(map[BootImage]int) // of the first with the same changes; the name is left out
	for _, b := range r.BootImages {
		key := b
		key.Name = ""
		if i, ok := at[key]; ok {
			s.rows[i][4] += ", " + b.Name
			continue
		}
		at[key] = len(s.rows)
		s.rows = append(s.rows, []string{cmp.Or(b.Stream, "default"), b.Architecture, output.Dash(b.From), output.Dash(b.To), b.Name})
	}
	return s
}

func (s *section) text(w io.Writer, l table.Look) {
	if len(s.rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s (%d):\n", s.title, len(s.rows))
	t := table.Table{Indent: "  ", Columns: s.columns}
	for _, row := range s.rows {
		var cells []table.Cell
		for _, text := range row {
			cells = append(cells, table.Plain(l.Digest(text)))
		}
		t.Add(cells...)
	}
	t.Write(w, l)
}

// mirrorsText lists pull specs in full: they are there to be mirrored.
func (r *Report) mirrorsText(w io.Writer, l table.Look) {
	m := r.Mirrors
	if m == nil {
		return
	}
	fmt.Fprintln(w)
	if len(m.Lacking) == 0 {
		l.Line(w, table.Cell{Text: m.words(r.To.Version), State: table.Good})
		return
	}
	l.Line(w, table.Cell{Text: m.words(r.To.Version) + ":", State: table.Bad})
	var rows [][]string
	for _, i := range m.Lacking {
		rows = append(rows, []string{i.Name, i.Image, i.remark()})
	}
	output.Table(w, "  ", rows)
}

// words sums up what is on the mirrors.
func (m *Mirrors) words(version string) string {
	if len(m.Lacking) == 0 {
		return fmt.Sprintf("All %s of %s are on the mirrors", words.Plural(m.Summary.Images, "image"), version)
	}
	return fmt.Sprintf("To be mirrored for %s, %d of %s", version, len(m.Lacking), words.Plural(m.Summary.Images, "image"))
}

// remark says what else than missing an image is.
func (i *Lacking) remark() string {
	if i.Status == checkreport.Missing {
		return ""
	}
	return "(" + i.Error + ")"
}
