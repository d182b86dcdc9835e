package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Printable returns s with control characters and those that change the direction of
// text as escapes, except line feeds and tabs. A terminal only prints it.
func Printable(s string) string { return string(escape([]byte(s), `\u%04x`)) }

// OneLine returns [Printable] text that cannot pass for several lines. It is for
// whatever a release, a registry or a policy says.
func OneLine(s string) string {
	return Printable(strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(s))
}

// Line formats a line. Arguments that are texts or errors are printed as [OneLine].
func Line(format string, args ...any) string {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = OneLine(a)
		case error:
			args[i] = OneLine(a.Error())
		case fmt.Stringer:
			args[i] = OneLine(a.String())
		}
	}
	return fmt.Sprintf(format, args...) + "\n"
}

// textWriter escapes what is written to it, except what [Raw] writes.
type textWriter struct{ b bytes.Buffer }

func (t *textWriter) Write(p []byte) (int, error) {
	t.b.Write(escape(p, `\u%04x`))
	return len(p), nil
}

// Raw writes text to w. If w escapes, as the writer of [Write] does, text is written as it
// is: the caller has made sure that nothing foreign in it drives a terminal.
func Raw(w io.Writer, text string) {
	if t, ok := w.(*textWriter); ok {
		t.b.WriteString(text)
		return
	}
	_, _ = io.WriteString(w, text)
}

// escape replaces what a terminal would act on by the format's escapes.
func escape(text []byte, format string) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if unprintable(r) {
			fmt.Fprintf(&b, format, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func hasUnprintable(s string) bool { return strings.ContainsFunc(s, unprintable) }

// unprintable reports whether r is a control character, a line separator of Unicode,
// or changes the direction of text.
func unprintable(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
