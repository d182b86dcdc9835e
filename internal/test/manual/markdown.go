package manual

import (
	"fmt"
	"strings"
)

// width is where the help texts of flags are wrapped, as in the help itself.
const width = 100

// Markdown returns the page as Markdown.
func (p Page) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n", p.Name, markdown(p.Short))
	if p.Usage != "" {
		fence(&b, p.Usage)
	}
	for _, par := range paragraphs(p.Long) {
		if par.asIs {
			fence(&b, par.text)
		} else {
			fmt.Fprintf(&b, "\n%s\n", markdown(par.text))
		}
	}
	if p.Example != "" {
		b.WriteString("\n## Examples\n")
		fence(&b, p.Example)
	}
	for _, f := range p.Flags {
		fmt.Fprintf(&b, "\n## %s\n", f.Title)
		fence(&b, f.Flags.FlagUsagesWrapped(width))
	}
	for _, l := range p.Lists {
		fmt.Fprintf(&b, "\n## %s\n\n", l.Title)
		for _, other := range l.Pages {
			fmt.Fprintf(&b, "- [%s](%s.md): %s\n", other.Name, other.File(), markdown(other.Short))
		}
	}
	return b.String()
}

func fence(b *strings.Builder, text string) {
	fmt.Fprintf(b, "\n```text\n%s\n```\n", strings.Trim(text, "\n"))
}

// markdown escapes what would be taken for marks.
func markdown(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", `\<`, "[", `\[`).Replace(text)
}
