package releaseinfo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/endpoints"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Table writes the release for a terminal: what does not differ from line to line stands
// above the lines.
func Table(w io.Writer, l table.Look, text string, ref imageref.Ref, rel *provider.Release) {
	if ref.Digest() == "" {
		endpoints.Head(w, l, text, ref)
		l.Line(w, table.Plain("is "+l.Digest(digest(ref, rel))))
	} else {
		endpoints.Head(w, l, text, ref)
	}
	t := endpoints.Asked(l)
	t.Attempts(slices.Collect(rel.Attempts()))
	t.Write(w)
	if rel.Stale() {
		l.Line(w, table.Cell{Text: "no endpoint answers now; this is from an earlier run", State: table.NotAsked})
	}

	fmt.Fprintln(w)
	m := rel.Metadata()
	facts := &table.Table{Columns: []table.Column{{Cut: table.Never}, {Cut: table.Never}}}
	fact := func(name, value string) {
		if value != "" {
			facts.Add(table.Plain(name), table.Plain(value))
		}
	}
	fact("Version", rel.Version())
	if p := rel.Platform(); !p.IsZero() {
		fact("Platform", p.String()+others(rel))
		fact("Instance", l.Digest(rel.Digest()))
	}
	if t := rel.Created(); !t.IsZero() {
		fact("Created", t.UTC().Format(time.RFC3339))
	}
	fact("Updates from", strings.Join(m.Previous, ", "))
	fact("Errata", m.URL)
	for _, v := range versions(rel) {
		fact(v[0], v[1])
	}
	facts.Write(w, l)

	images := slices.Collect(rel.Components())
	if len(images) == 0 {
		return
	}
	place := sharedName(images)
	heading := "\n" + output.Plural(len(images), "image")
	if place != "" {
		heading += " in " + output.OneLine(place)
	}
	fmt.Fprintln(w, heading)
	list := &table.Table{Indent: "  ", Columns: []table.Column{{Cut: table.Address}, {Cut: table.Never}}}
	for _, c := range images {
		image := l.Digest(c.Image.Digest())
		if place == "" || image == "" {
			image = strings.TrimSuffix(c.Image.String(), c.Image.Digest()) + image
		}
		list.Add(table.Plain(c.Name), table.Plain(image))
	}
	list.Write(w, l)
}

// sharedName returns the repository in which all images are, "" if there are several.
func sharedName(images []provider.Component) string {
	place := images[0].Image.Name()
	for _, c := range images {
		if c.Image.Name() != place || c.Image.Tag() != "" {
			return ""
		}
	}
	return place
}
