package releaseinfo

import (
	"bytes"
	"fmt"
	"io"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Show says what is written of each image. The zero value leaves that to the writer.
type Show struct {
	PullSpecs, Digests, Commits, CommitURLs bool
	// Sizes are written if they are there.
	Sizes *Sizes
}

func (s Show) none() bool { return s == Show{} }

// Sizes are those of images as they are transferred, in bytes.
type Sizes struct {
	Of    map[string]int64 // by component; one that is not known is not there
	Total int64            // of all of them, with what they share counted once
}

// SetSizes adds sizes to the result.
func (i *Info) SetSizes(s *Sizes) {
	i.Size = &s.Total
	for n, c := range i.Components {
		if size, ok := s.Of[c.Name]; ok {
			i.Components[n].Size = &size
		}
	}
}

// write writes a table with a row for each image, and the total of the sizes.
func (s Show) write(w io.Writer, l table.Look, images []provider.Component) {
	name := table.Column{Title: "NAME", Cut: table.Address}
	if s.Commits || s.CommitURLs || s.PullSpecs {
		name.Cut = table.Never // the line is for copying, and wider than most terminals
	}
	t := table.Table{Indent: "  ", Columns: []table.Column{name}}
	add := func(show bool, c table.Column) {
		if show {
			t.Columns = append(t.Columns, c)
		}
	}
	add(s.Sizes != nil, table.Column{Title: "SIZE", Cut: table.Never, Right: true})
	add(s.Digests, table.Column{Title: "DIGEST", Cut: table.Never})
	add(s.Commits, table.Column{Title: "REPOSITORY", Cut: table.Never})
	add(s.Commits, table.Column{Title: "COMMIT", Cut: table.Never})
	add(s.CommitURLs, table.Column{Title: "COMMIT URL", Cut: table.Never})
	add(s.PullSpecs, table.Column{Title: "PULL SPEC", Cut: table.Never}) // for copying
	for _, c := range images {
		source := c.Source()
		row := []table.Cell{table.Plain(c.Name)}
		cell := func(show bool, text string) {
			if show {
				row = append(row, table.Plain(output.Dash(text)))
			}
		}
		if s.Sizes != nil {
			size, ok := s.Sizes.Of[c.Name]
			cell(true, map[bool]string{true: Bytes(size)}[ok])
		}
		cell(s.Digests, l.Digest(c.Image.Digest()))
		cell(s.Commits, source.Repository)
		cell(s.Commits, source.Commit)
		cell(s.CommitURLs, source.URL())
		cell(s.PullSpecs, c.Image.String())
		t.Add(row...)
	}
	t.Write(w, l)
	if s.Sizes != nil {
		fmt.Fprintf(w, "\n%s in all, with layers that images share counted once.\n", Bytes(s.Sizes.Total))
	}
}

// Bytes returns a number of bytes for people, in decimal units as registries show them.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_500:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 999_500_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// Formats with a line for each image.
const (
	Name     output.Format = "name"
	PullSpec output.Format = "pullspec"
	Digest   output.Format = "digest"
)

// Format writes a line for each image.
func (i Info) Format(f output.Format) ([]byte, error) { return lines(f, i.Components) }

// Format writes a line for each image.
func (c Chosen) Format(f output.Format) ([]byte, error) { return lines(f, c.Components) }

func lines(f output.Format, components []Component) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range components {
		text := c.Name
		switch f {
		case PullSpec:
			text = c.Image
		case Digest:
			text = output.DigestOf(c.Image)
		}
		b.WriteString(output.Line("%s", text))
	}
	return b.Bytes(), nil
}
