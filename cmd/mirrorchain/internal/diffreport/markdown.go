package diffreport

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

// markdown writes the report for a change ticket or release notes.
func (r *Report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s → %s\n\n", escape(r.From.Version), escape(r.To.Version))
	side := func(word string, r Release) {
		fmt.Fprintf(&b, "- %s `%s`", word, code(r.Image))
		if !strings.HasSuffix(r.Image, r.Digest) {
			fmt.Fprintf(&b, ", `%s`", code(r.Digest))
		}
		b.WriteString("\n")
	}
	side("from", r.From)
	side("to", r.To)
	for _, s := range r.sections() {
		if len(s.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s (%d)\n\n", s.title, len(s.rows))
		for i, c := range s.columns {
			fmt.Fprintf(&b, "| %s ", strings.ToLower(c.Title))
			if i == len(s.columns)-1 {
				b.WriteString("|\n")
			}
		}
		b.WriteString(strings.Repeat("|---", len(s.columns)) + "|\n")
		for _, row := range s.rows {
			for _, text := range row {
				b.WriteString("| " + cell(text) + " ")
			}
			b.WriteString("|\n")
		}
	}
	if r.same() {
		b.WriteString("\nThe same components, versions and boot images.\n")
	}
	if m := r.Mirrors; m != nil {
		fmt.Fprintf(&b, "\n## Mirrors\n\n%s.\n", escape(m.words(r.To.Version)))
		for i, lacking := range m.Lacking {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- %s `%s` %s\n", escape(lacking.Name), code(lacking.Image), escape(lacking.remark()))
		}
	}
	return b.Bytes()
}

// cell returns text for a table. A link to commits is a link, a digest is code.
func cell(text string) string {
	switch {
	case strings.HasPrefix(text, "https://"):
		_, commits, _ := strings.Cut(text, "/compare/")
		return fmt.Sprintf("[%s](%s)", escape(short(commits)), text) // of [provider.CompareURL], which makes no other
	case strings.HasPrefix(text, "sha256:"):
		return "`" + code(text) + "`"
	}
	return escape(text)
}

// short returns the two commits of a link in twelve digits each.
func short(commits string) string {
	from, to, _ := strings.Cut(commits, "...")
	return fmt.Sprintf("%.12s...%.12s", from, to)
}

// escape returns foreign text that is neither markup nor several lines
// (CommonMark, backslash escapes).
func escape(s string) string {
	var b strings.Builder
	for _, r := range output.OneLine(s) {
		if strings.ContainsRune("\\`*_{}[]<>()#+!|&~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// code returns foreign text for between backticks, where nothing can be escaped.
func code(s string) string { return strings.ReplaceAll(output.OneLine(s), "`", "'") }
