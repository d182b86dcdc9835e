package statuspage

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what the page shows. Who chooses a text chooses its length too.
const (
	maxText = 600 // bytes of one text
	maxRows = 500 // of one table or list
)

// clean returns s as one line that can only be read: control characters and those that
// change the direction of text are shown as escapes, what is no UTF-8 is replaced, and what
// is long is cut.
func clean(s string) string {
	cut := len(s) > maxText
	if cut {
		n := maxText
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	var b strings.Builder
	for _, r := range s { // an invalid byte is a U+FFFD
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	if cut {
		b.WriteString(" … (cut)")
	}
	return b.String()
}

// breakable lets a browser break a reference at its separators, where a narrow page needs that.
func breakable(s string) template.HTML {
	s = template.HTMLEscapeString(clean(s))
	return template.HTML(strings.NewReplacer("/", "/<wbr>", "@", "<wbr>@", ":", ":<wbr>").Replace(s))
}

// ago returns how long before now t was.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// first returns the first rows of all that the page shows.
func first[T any](all []T) []T { return all[:min(len(all), maxRows)] }
