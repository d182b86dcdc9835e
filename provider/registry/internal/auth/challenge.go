package auth

import (
	"net/http"
	"strings"
)

// Challenge is one challenge of a WWW-Authenticate header (RFC 9110, 11.6.1).
type Challenge struct {
	Scheme string            // lower case
	Params map[string]string // by lower-case name; nil without any
}

// maxHeader bounds what of a header is looked at.
const maxHeader = 16 << 10

// ParseChallenges reads all WWW-Authenticate headers. What is malformed ends
// the header it is in; what was read before it counts.
func ParseChallenges(h http.Header) []Challenge {
	var all []Challenge
	for _, line := range h.Values("WWW-Authenticate") {
		all = append(all, parseLine(line[:min(len(line), maxHeader)])...)
	}
	return all
}

// parseLine reads a list of challenges. A comma separates both challenges and
// the parameters of one, so what follows a comma is a parameter if "=" comes
// after its first token, else a scheme.
func parseLine(s string) []Challenge {
	var all []Challenge
	for {
		s = strings.TrimLeft(s, " \t,")
		name, rest := token(s)
		if name == "" {
			return all
		}
		after := strings.TrimLeft(rest, " \t")
		if v, ok := strings.CutPrefix(after, "="); ok && len(all) > 0 {
			value, tail, ok := paramValue(strings.TrimLeft(v, " \t"))
			if !ok {
				return all
			}
			c := &all[len(all)-1]
			if c.Params == nil {
				c.Params = make(map[string]string)
			}
			if key := strings.ToLower(name); c.Params[key] == "" { // the first one counts
				c.Params[key] = value
			}
			s = tail
			continue
		}
		all = append(all, Challenge{Scheme: strings.ToLower(name)})
		s = skipToken68(after)
	}
}

// paramValue returns a quoted string, or what comes before the next comma or space. That
// should be a token, and some registries do not quote a URL or a scope.
func paramValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, " \t,")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], end > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// skipToken68 skips the "dGVzdA==" of a challenge such as "Negotiate dGVzdA==",
// which would read as a parameter otherwise.
func skipToken68(s string) string {
	word := s
	if i := strings.IndexAny(s, " \t,"); i >= 0 {
		word = s[:i]
	}
	bare := strings.TrimRight(word, "=")
	if strings.ContainsAny(bare, `="`) || bare == "" {
		return s // name=value
	}
	rest := strings.TrimLeft(s[len(word):], " \t")
	if len(bare) == len(word) && strings.HasPrefix(rest, "=") {
		return s // name = value
	}
	if len(bare) != len(word) && strings.HasPrefix(rest, `"`) {
		return s // name= "value"
	}
	if len(bare) == len(word) && !strings.HasPrefix(rest, ",") && rest != "" {
		return s // the next scheme, without a comma
	}
	return s[len(word):]
}

// token returns the longest prefix of token characters (RFC 9110, 5.6.2).
func token(s string) (tok, rest string) {
	i := 0
	for i < len(s) && isTokenChar(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isTokenChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
