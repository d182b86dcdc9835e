package imageref

import "strings"

// The grammar of github.com/distribution/reference, by hand: a regular
// expression costs thirty times as much.

func isAlnumLower(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
func isAlnum(c byte) bool      { return isAlnumLower(c) || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool      { return '0' <= c && c <= '9' }
func isHexLower(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'f' }
func isWord(c byte) bool       { return isAlnum(c) || c == '_' }

// scanRepository returns the end of the slash-separated components at from.
func scanRepository(s string, from int) (int, error) {
	for i := from; ; i++ {
		end := scanComponent(s, i)
		if end == i {
			return 0, repositoryError(s, from)
		}
		if i = end; i == len(s) || s[i] != '/' {
			return i, nil
		}
	}
}

// scanComponent returns the end of the component at i, or i if there is none:
// runs of a-z0-9 joined by one ".", one or two "_" or any number of "-".
func scanComponent(s string, i int) int {
	end := i
	for {
		for i < len(s) && isAlnumLower(s[i]) {
			i++
		}
		if i == end { // nothing after a separator: it is not part of the component
			return end
		}
		end = i
		if i == len(s) {
			return end
		}
		switch s[i] {
		case '.':
			i++
		case '_':
			if i++; i < len(s) && s[i] == '_' {
				i++
			}
		case '-':
			for i < len(s) && s[i] == '-' {
				i++
			}
		default:
			return end
		}
		if i == len(s) || !isAlnumLower(s[i]) {
			return end
		}
		end = i
	}
}

// scanTag returns the end of the tag at i, or i if there is none.
func scanTag(s string, i int) int {
	if i == len(s) || !isWord(s[i]) {
		return i
	}
	for i < len(s) && (isWord(s[i]) || s[i] == '.' || s[i] == '-') {
		i++
	}
	return i
}

// isDigest accepts the algorithms that github.com/opencontainers/go-digest has.
func isDigest(s string) bool {
	algorithm, hex, ok := strings.Cut(s, ":")
	if !ok {
		return false
	}
	switch algorithm {
	case "sha256":
		ok = len(hex) == 64
	case "sha384":
		ok = len(hex) == 96
	case "sha512":
		ok = len(hex) == 128
	default:
		return false
	}
	for i := 0; ok && i < len(hex); i++ {
		ok = isHexLower(hex[i])
	}
	return ok
}

// isIdentifier reports whether s is what Docker calls an image ID.
func isIdentifier(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if !isHexLower(s[i]) {
			return false
		}
	}
	return true
}

// isHostPort accepts a host name, an IPv4 address or an IPv6 address in
// brackets, and a port.
func isHostPort(s string) bool {
	i := scanHost(s)
	return i > 0 && isPort(s[i:])
}

// isPort accepts nothing, or a colon and digits.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) == 1 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// scanHost returns the end of the host at the start of s, 0 if there is none.
func scanHost(s string) int {
	if strings.HasPrefix(s, "[") {
		i := 1
		for i < len(s) && (s[i] == ':' || isHexLower(s[i]) || 'A' <= s[i] && s[i] <= 'F') {
			i++
		}
		if i == 1 || i == len(s) || s[i] != ']' {
			return 0
		}
		return i + 1
	}
	return scanHostName(s, 0)
}

// scanHostName returns the end of the dot-separated labels at i, or i if there
// are none. Labels neither begin nor end with "-".
func scanHostName(s string, i int) int {
	for {
		start := i
		for i < len(s) && (isAlnum(s[i]) || s[i] == '-') {
			i++
		}
		if i == start || s[start] == '-' || s[i-1] == '-' {
			return 0
		}
		if i == len(s) || s[i] != '.' {
			return i
		}
		i++
	}
}
