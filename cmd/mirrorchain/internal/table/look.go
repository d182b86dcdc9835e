// Package table writes results for somebody at a terminal: tables that fit its width,
// three colours for three states, and digests that are short where nobody copies them.
//
// A [Look] says what the terminal can do. A result that is not written to a terminal has
// the zero Look: no colour, no limit of width, and every digest in full, so that other
// programs can read it. Commands pass the Look of their run to the function that writes
// their text.
package table

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

// Look says how a result is shown. The zero value is for what is no terminal.
type Look struct {
	// Terminal says that a person reads the result as it is written.
	Terminal bool
	// Width is the number of columns of the terminal. 0 is no limit.
	Width int
	// Color allows colours.
	Color bool
	// ASCII replaces every mark that is not ASCII.
	ASCII bool
	// Full shows digests in full.
	Full bool
}

// usualWidth is for a terminal that does not tell its width.
const usualWidth = 80

// LookAt returns the look of a terminal with that many columns; 0 is unknown. The
// environment decides about colours (NO_COLOR, see no-color.org, and TERM=dumb) and about
// ASCII (LC_ALL, LC_CTYPE and LANG, the first that is set, as in POSIX).
func LookAt(columns int, getenv func(string) string) Look {
	if columns <= 0 {
		columns = usualWidth
	}
	return Look{
		Terminal: true, Width: columns,
		Color: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb",
		ASCII: !UTF8(getenv),
	}
}

// UTF8 reports whether the locale's characters are those of UTF-8.
func UTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// State is what came of something. It decides about mark and colour.
type State int

// The states. None has no mark and no colour.
const (
	None     State = iota
	Good           // ✓, green
	Bad            // ✗, red
	NotAsked       // –, yellow: blocked, or not asked for another reason
)

// Mark returns the mark of s, "" for [None].
func (l Look) Mark(s State) string {
	marks := [...]string{"", "✓", "✗", "–"}
	if l.ASCII {
		marks = [...]string{"", "+", "x", "-"}
	}
	return marks[s]
}

// shortDigits is how many digits of a digest tell it apart from others at a glance.
const shortDigits = 12

// narrow is the width below which the algorithm of a digest is left out.
const narrow = 60

// Digest returns a digest as it is shown where nobody copies it: short at a terminal, in
// full elsewhere. What is no digest is returned as it is.
func (l Look) Digest(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if l.Full || !l.Terminal || !ok || len(hex) <= shortDigits {
		return digest
	}
	short := hex[:shortDigits] + l.ellipsis()
	if l.Width < narrow {
		return short
	}
	return algorithm + ":" + short
}

func (l Look) ellipsis() string {
	if l.ASCII {
		return "..."
	}
	return "…"
}

// cut fits text into n columns and says that something is missing.
func (l Look) cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	dots := l.ellipsis()
	keep := n - utf8.RuneCountInString(dots)
	if keep < 1 {
		return string([]rune(text)[:max(n, 0)])
	}
	return string([]rune(text)[:keep]) + dots
}

// Line writes cells as one line, with their marks and colours and nothing between them.
func (l Look) Line(w io.Writer, cells ...Cell) {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString(l.paint(l.marked(c), c.State))
	}
	output.Raw(w, b.String()+"\n")
}

// marked returns the mark and the text of c, on one line.
func (l Look) marked(c Cell) string {
	text := output.OneLine(c.Text)
	if mark := l.Mark(c.State); mark != "" {
		return strings.TrimRight(mark+" "+text, " ")
	}
	return text
}

// paint adds the colour of s (ECMA-48, select graphic rendition).
func (l Look) paint(text string, s State) string {
	if !l.Color || s == None || text == "" {
		return text
	}
	return [...]string{"", "\x1b[32m", "\x1b[31m", "\x1b[33m"}[s] + text + "\x1b[0m"
}
