package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"

	"github.com/mirrorchain/mirrorchain/sources/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// syntaxError returns what a person needs to mend YAML that does not parse.
func syntaxError(where string, data []byte, err error) error {
	problem := yamlProblem(err)
	line, text := problemLine(data, problem)
	at := fmt.Sprintf("%s:%d", where, line)
	if alias := unknownAlias.FindStringSubmatch(problem); alias != nil {
		return invalid(at, "*%s is an alias in YAML; put it in quotes: '*%s'", alias[1], alias[1])
	}
	if e := syntax.Mistake(string(data), line); e != "" {
		return invalid(at, "%s", e)
	}
	hint := "correct the YAML there, often its indentation or a quote"
	if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.ContainsRune(indent, '\t') {
		hint = "indent with spaces, YAML allows no tabs there"
	} else if bytes.ContainsRune(text, '\t') {
		hint = "the line has a tab (U+0009); type spaces in its place"
	}
	return invalid(at, "%s; %s", problem, hint)
}

var unknownAlias = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// problemLine finds the line where a problem begins to show. The parser names a
// line near it, or none: its parts count from 0 or from 1, and name now the place
// and now what it belongs to. So the text is cut off after ever more lines until
// the same problem comes of it.
func problemLine(data []byte, problem string) (n int, text []byte) {
	stops := []int{0}
	for i, b := range data {
		if b == '\n' {
			stops = append(stops, i+1)
		}
	}
	if stops[len(stops)-1] < len(data) {
		stops = append(stops, len(data))
	}
	lines := len(stops) - 1
	if lines == 0 {
		return 1, nil
	}
	n = 1 + sort.Search(lines-1, func(i int) bool { return parseProblem(data[:stops[i+1]]) == problem })
	return n, data[stops[n-1]:stops[n]]
}

// parseProblem returns why data does not parse as YAML, "" if it does.
func parseProblem(data []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return ""
		} else if err != nil {
			return yamlProblem(err)
		}
	}
}

var yamlPrefix = regexp.MustCompile(`^(yaml: )?(line \d+: )?`)

// yamlProblem returns a parser's error without its line.
func yamlProblem(err error) string {
	return strings.TrimSpace(yamlPrefix.ReplaceAllString(err.Error(), ""))
}
