package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Man returns the page in the language of man (man(7)).
func (p Page) Man() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %s \"\" \"mirrorchain\" \"mirrorchain manual\"\n", roff(strings.ToUpper(p.File())), p.Section())
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(p.File()), roff(p.Short))
	if p.Usage != "" {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(p.Usage))
	}
	if p.Long != "" {
		b.WriteString(".SH DESCRIPTION\n")
		for i, par := range paragraphs(p.Long) {
			if i > 0 {
				b.WriteString(".PP\n")
			}
			manParagraph(&b, par)
		}
	}
	if p.Example != "" {
		b.WriteString(".SH EXAMPLES\n")
		manParagraph(&b, paragraph{p.Example, true})
	}
	for _, f := range p.Flags {
		manFlags(&b, f)
	}
	for _, l := range p.Lists {
		fmt.Fprintf(&b, ".SH %s\n", roff(strings.ToUpper(l.Title)))
		for _, other := range l.Pages {
			fmt.Fprintf(&b, ".TP\n.BR %s (%s)\n%s\n", roff(other.File()), other.Section(), roff(other.Short))
		}
	}
	return b.String()
}

func manParagraph(b *strings.Builder, p paragraph) {
	if p.asIs {
		fmt.Fprintf(b, ".nf\n%s\n.fi\n", roff(p.text))
		return
	}
	fmt.Fprintln(b, roff(p.text))
}

func manFlags(b *strings.Builder, group Flags) {
	fmt.Fprintf(b, ".SH %s\n", roff(strings.ToUpper(group.Title)))
	group.Flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB\\-%s\\fR, ", f.Shorthand)
		}
		fmt.Fprintf(b, "\\fB\\-\\-%s\\fR", roff(f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		fmt.Fprintf(b, "\n%s\n", roff(text))
	})
}

// roff escapes text: what begins a line with a dot or a quote is no request, and dashes stay
// those that a shell understands.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
