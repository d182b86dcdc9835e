package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// outputFormat is a flag's value; "" is text.
type outputFormat string

const (
	formatText outputFormat = "text"
	formatJSON outputFormat = "json"
	formatYAML outputFormat = "yaml"
	// formatJUnit is for results that are a list of cases; see [options.check].
	formatJUnit outputFormat = "junit"
)

func (f *outputFormat) String() string {
	if *f == "" {
		return string(formatText)
	}
	return string(*f)
}

func (f *outputFormat) Set(s string) error {
	switch v := outputFormat(s); v {
	case formatText, formatJSON, formatYAML, formatJUnit:
		*f = v
		return nil
	}
	return fmt.Errorf("want text, json or yaml, or junit for release check")
}

// isText reports whether a person reads the result.
func (f *outputFormat) isText() bool { return *f == "" || *f == formatText }

func (*outputFormat) Type() string { return "FORMAT" }

var errNoJUnit = usagef("-o junit is for 'mirrorchain release check'; want text, json or yaml")

// print writes v to stdout in the format asked for, text by its function, in one
// piece: whoever reads it gets all or nothing.
func (a *app) print(v any, text func(io.Writer)) error {
	var out bytes.Buffer
	switch a.opts.output {
	case formatJSON, formatYAML:
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("encoding the result: %w", err)
		}
		if a.opts.output == formatYAML {
			y, err := yaml.JSONToYAML(out.Bytes())
			if err != nil {
				return fmt.Errorf("encoding the result: %w", err)
			}
			out.Reset()
			out.Write(y)
			break
		}
		escape(&out, "\\u%04x")
	case formatJUnit:
		cases, ok := v.(interface{ junit() ([]byte, error) })
		if !ok {
			return errNoJUnit
		}
		x, err := cases.junit()
		if err != nil {
			return fmt.Errorf("encoding the result: %w", err)
		}
		out.Write(x)
		escape(&out, "&#x%x;")
	default:
		var raw bytes.Buffer
		text(&raw)
		out.WriteString(printable(raw.String()))
	}
	if _, err := a.sys.Stdout.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// printable is text that does to a terminal nothing but print: control characters,
// which a release, a registry or a policy file may hold, are shown as escapes.
func printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escape writes what a terminal would act on in the way of the format, JSON or XML,
// whose encoders leave some of it as it is. (YAML's leaves none of the controls.)
func escape(out *bytes.Buffer, format string) {
	s := out.String()
	if !strings.ContainsFunc(s, unprintable) {
		return
	}
	out.Reset()
	for _, r := range s {
		if unprintable(r) {
			fmt.Fprintf(out, format, r)
		} else {
			out.WriteRune(r)
		}
	}
}

// unprintable are control characters and those that change the direction of text.
func unprintable(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// oneLine is text that cannot pass for several lines.
func oneLine(s string) string { return strings.NewReplacer("\n", "\\n", "\r", "\\r").Replace(s) }

// list is a slice that is never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// plural is "1 mirror", "2 mirrors".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// table writes rows in columns, each as wide as its widest cell, the last as
// wide as it is.
func table(w io.Writer, indent string, rows [][]string) {
	var width []int
	for _, row := range rows {
		for i := range row {
			row[i] = oneLine(row[i])
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			if i < len(row)-1 {
				fmt.Fprintf(&line, "%-*s  ", width[i], cell)
			} else {
				line.WriteString(cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// tell writes to stderr what a person should read.
func (a *app) tell(format string, args ...any) {
	fmt.Fprint(a.err, printable(fmt.Sprintf(format, args...))+"\n")
}

// indented is an error's text, each of several errors on a line that shows that it
// belongs to this program.
func indented(err error) string {
	if _, ok := errors.AsType[*failedLookup](err); ok {
		return err.Error() // in lines of its own
	}
	return strings.ReplaceAll(err.Error(), "\n", "\nmirrorchain: ")
}

// firstError keeps the first error of writing to w.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

// lockedWriter lets several goroutines write whole lines to stderr.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
