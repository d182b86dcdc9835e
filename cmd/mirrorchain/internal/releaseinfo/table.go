package releaseinfo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/endpoints"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Table writes the release for a terminal: what does not differ from line to line stands
// above the lines.
func Table(w io.Writer, l table.Look, show Show, text string, ref imageref.Ref, rel *provider.Release) {
	endpoints.Head(w, l, text, ref)
	if ref.Digest() == "" {
		l.Line(w, table.Plain("is "+l.Digest(digest(ref, rel))))
	}
	t := endpoints.Asked(l)
	attempts := slices.Collect(rel.Attempts())
	t.Attempts(attempts)
	t.Write(w)
	switch from := rel.PulledFrom().Name(); {
	case rel.Stale():
		l.Line(w, table.Cell{Text: "no endpoint answers now; an earlier run had this from " + from, State: table.NotAsked})
	case len(attempts) == 0:
		l.Line(w, table.Plain("an earlier run had this from "+from))
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
	heading := "\n" + words.Plural(len(images), "image")
	if repo := sharedName(images); repo != "" && !show.PullSpecs {
		heading += " in " + output.OneLine(repo)
		if show.none() {
			show.Digests = true
		}
	}
	fmt.Fprintln(w, heading)
	if show.none() {
		show.PullSpecs = true
	}
	show.write(w, l, images)
}

// sharedName returns the repository in which all images are, "" if there are several.
func sharedName(images []provider.Component) string {
	repo := images[0].Image.Name()
	for _, c := range images {
		if c.Image.Name() != repo || c.Image.Tag() != "" {
			return ""
		}
	}
	return repo
}
