// Package syntax says what people did who wrote a text that does not parse, in their own
// terms: a template that nobody rendered, a character that looks like a space, the
// environment of a process.
package syntax

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	template    = regexp.MustCompile(`\{\{|\{%|\$\{|<[A-Za-z][\w .-]*>`)
	environment = regexp.MustCompile(`^\s*(export\s+)?[A-Z][A-Z0-9_]*=\S`)
)

// Template returns the part of s that a template engine should have replaced: {{ x }},
// {% x %}, ${x} or <x>. It is "" where there is none.
func Template(s string) string {
	at := template.FindStringIndex(s)
	if at == nil {
		return ""
	}
	part := s[at[0]:]
	for _, end := range []string{"}}", "%}", "}", ">"} {
		if n := strings.Index(part, end); n >= 0 && n < 60 {
			return part[:n+len(end)]
		}
	}
	return part[:at[1]-at[0]]
}

// TemplateLine returns the first line from 1 on which a template stands that YAML and TOML do
// not parse ({{ or {%), and its text; 0 if there is none.
func TemplateLine(text string) (int, string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if part := Template(line); strings.HasPrefix(part, "{{") || strings.HasPrefix(part, "{%") {
			return n, part
		}
	}
	return 0, ""
}

// Unrendered returns the message for a template.
func Unrendered(part string) string {
	return fmt.Sprintf("this is an unrendered template (%s); render it first, and name what comes of it", part)
}

// Mistake says what is wrong with line n of a text that does not parse, or with the whole,
// where it is one of the mistakes that parsers do not name. It is "" otherwise.
func Mistake(text string, n int) string {
	line := Line(text, n)
	if at, part := TemplateLine(text); at > 0 {
		if at != n {
			return fmt.Sprintf("%s, on line %d", Unrendered(part), at)
		}
		return Unrendered(part)
	}
	if environment.MatchString(line) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		return fmt.Sprintf("this is KEY=VALUE, as in the environment of a process; set the variable and name it as env:%s", name)
	}
	for at := n; at > max(0, n-3); at-- { // a problem may show only on a later line
		if c := Character(Line(text, at)); c != "" {
			return fmt.Sprintf("line %d has %s; type a plain character in its place", at, c)
		}
	}
	at := 0
	for line := range strings.Lines(text) {
		at++
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "```"):
			return fmt.Sprintf("line %d is a fence of Markdown; remove it", at)
		case line == "EOF":
			return fmt.Sprintf("line %d is the end of a shell's here-document; remove it", at)
		case strings.HasPrefix(line, "$ "):
			return fmt.Sprintf("line %d is a command at a prompt; remove it", at)
		}
	}
	return ""
}

// Character names the first character of s that looks like another one or like nothing.
// It is "" where there is none.
func Character(s string) string {
	for _, c := range s {
		switch c {
		case '\u00a0', '\u202f', '\u2007':
			return fmt.Sprintf("a non-breaking space (%U)", c)
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff':
			return fmt.Sprintf("an invisible character (%U)", c)
		case '\u201c', '\u201d', '\u2018', '\u2019':
			return fmt.Sprintf("a typographic quote (%U)", c)
		case utf8.RuneError:
			return "a character that is not UTF-8"
		}
	}
	return ""
}

// Line returns line n of text, from 1, without its end. It is "" where there is none.
func Line(text string, n int) string {
	for line := range strings.Lines(text) {
		if n--; n == 0 {
			return strings.TrimRight(line, "\r\n")
		}
	}
	return ""
}
