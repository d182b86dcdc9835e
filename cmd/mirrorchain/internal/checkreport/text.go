package checkreport

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Text writes the report for a person: counts, and what is not available, in groups
// that failed alike.
func (r *Report) Text(w io.Writer) {
	fmt.Fprint(w, output.Line("Release %s: %s", r.Version, r.Summary.words()))
	rows := [][]string{}
	for _, host := range slices.Sorted(maps.Keys(r.Summary.From)) {
		rows = append(rows, []string{"on " + host, fmt.Sprint(r.Summary.From[host])})
	}
	output.Table(w, "  ", rows)
	r.list(w, "Missing", Missing)
	r.list(w, "Could not be asked for", Failed)
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
		var rows [][]string
		for _, c := range group {
			rows = append(rows, []string{c.names(), c.Image})
		}
		output.Table(w, "    ", rows)
	}
}

// alike puts images together that failed alike: a mirror that is away, or that was
// never filled, fails for all of them.
func alike(images []Image) [][]Image {
	var groups [][]Image
	at := make(map[string]int)
	for _, c := range images {
		key := c.key()
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// key is the same for images that failed alike.
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

func (s *Summary) words() string {
	if s.Found == s.Images {
		return fmt.Sprintf("all %d images are available", s.Images)
	}
	text := fmt.Sprintf("%d of %d images are available", s.Found, s.Images)
	if s.Missing > 0 {
		text += fmt.Sprintf(", %d missing", s.Missing)
	}
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d could not be asked for", s.Failed)
	}
	if s.NotAsked > 0 {
		text += fmt.Sprintf(", %d not asked for yet", s.NotAsked)
	}
	return text
}
