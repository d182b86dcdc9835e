package wire

import (
	"strings"
	"unicode"
)

const maxText = 1 << 10

// text is an error that says something other than its cause does.
type text struct {
	say   string
	cause error
}

func (t *text) Error() string { return t.say }
func (t *text) Unwrap() error { return t.cause }

// Clean returns err with text that is fit for a terminal and a log: bounded, one
// line, no control characters. Errors of the network quote what servers send.
func Clean(err error) error {
	if s := CleanText(err.Error()); s != err.Error() {
		return &text{s, err}
	}
	return err
}

// CleanText bounds s to 1 KiB of printable characters.
func CleanText(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == unicode.ReplacementChar, !unicode.IsPrint(r) && !unicode.IsSpace(r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut {
		s += "..."
	}
	return strings.TrimSpace(s)
}
