package registriesconf

import (
	"fmt"
	"strings"
)

// maxDepth is how deep arrays and inline tables may be nested, and how many parts a key may
// have. A registries.conf needs two. The decoder's memory grows with the square of both: a
// file of 32 KB could take gigabytes.
const maxDepth = 16

// checkDepth refuses text that is nested deeper than maxDepth, before it is decoded. It
// only has to be right up to the first mistake in the text, where the decoder stops too.
func checkDepth(where, text string) error {
	depth, dots, line := 0, 0, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			end := stringEnd(text[i:])
			line += strings.Count(text[i:i+end], "\n")
			i += end - 1
			continue
		case '#':
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				i += end - 1 // the line's end comes next
			} else {
				i = len(text)
			}
			continue
		case '[', '{':
			depth, dots = depth+1, 0
		case ']', '}':
			depth, dots = max(depth-1, 0), 0
		case '.':
			dots++
		case '=', ',':
			dots = 0
		case '\n':
			line, dots = line+1, 0
		}
		if depth > maxDepth || dots >= maxDepth {
			return invalid(fmt.Sprintf("%s:%d", where, line), "nested more than %d deep, which no registries.conf is; remove the inner arrays, tables or parts of the key", maxDepth)
		}
	}
	return nil
}

// stringEnd returns the length of the string that s begins with, quotes included.
func stringEnd(s string) int {
	quote := s[:1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s, long) {
		quote = long
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote[0] == '"':
			i++
		case len(quote) == 1 && s[i] == '\n':
			return i // a mistake, or the decoder would have to go on
		case strings.HasPrefix(s[i:], quote):
			end := i + len(quote)
			for extra := 0; len(quote) == 3 && extra < 2 && strings.HasPrefix(s[end:], quote[:1]); extra++ {
				end++ // up to two quotes may stand before the three that end it
			}
			return end
		}
	}
	return len(s)
}
