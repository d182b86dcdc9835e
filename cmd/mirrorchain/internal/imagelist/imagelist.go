// Package imagelist reads which images a file names: a list of pull specs, a mapping of
// oc-mirror or for 'oc image mirror', Kubernetes manifests, or an operator catalog.
package imagelist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Image is an image that a file names.
type Image struct {
	// Name says what the image is to the file, such as the names of its object and of its
	// container; "" in a list of pull specs.
	Name string
	Ref  imageref.Ref
}

// maxSize bounds a file, in bytes. The largest operator catalogs have some 200 MB.
const maxSize = 1 << 30

// Read returns the images in r, in the order of the file, and each as often as it is there.
// An entry that is no image reference is left out, and among the warnings. The error names
// where the file cannot be read; file is its name, for messages.
func Read(file string, r io.Reader) (images []Image, warnings []string, err error) {
	in := bufio.NewReaderSize(&limited{r, maxSize}, 64<<10)
	l := &list{file: file}
	if err := l.read(in); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return l.images, l.warnings, nil
}

// list collects images.
type list struct {
	file     string
	images   []Image
	warnings []string
}

func (l *list) read(in *bufio.Reader) error {
	head, err := in.Peek(in.Size())
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		head = head[len(byteOrderMark):]
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return err
		}
	}
	switch {
	case bytes.IndexByte(head, 0) >= 0:
		return errors.New("no text in UTF-8; decompress it, or convert it from UTF-16, as PowerShell writes it")
	case startsJSON(head):
		return l.json(in)
	case isLines(head):
		return l.lines(in)
	}
	return l.yaml(in)
}

// byteOrderMark is what programs of Windows begin a text in UTF-8 with.
const byteOrderMark = "\ufeff"

func startsJSON(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && (head[0] == '{' || head[0] == '[')
}

// isLines reports whether the first line that says something is a pull spec, or two of
// them. A line of YAML has ": " or ends with ":", or begins with "-" or "%".
func isLines(head []byte) bool {
	for line := range strings.Lines(string(head)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		return !strings.HasSuffix(line, ":") && !strings.Contains(line, ": ") && !strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "%")
	}
	return true
}

// lines reads a pull spec in each line, or what 'oc image mirror -f' reads: one or more
// SOURCE=TARGET, or "SOURCE TARGET...". A comment begins with # anywhere. oc-mirror puts
// "docker://" before each.
func (l *list) lines(in io.Reader) error {
	s := bufio.NewScanner(in)
	for n := 1; s.Scan(); n++ {
		line, _, _ := strings.Cut(s.Text(), "#")
		for _, source := range sources(line) {
			l.add(fmt.Sprintf("line %d", n), "", source)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("not a list of images, a line is too long: %w", err)
	}
	return nil
}

// besideEquals are the spaces around an equals sign.
var besideEquals = regexp.MustCompile(`\s*=\s*`)

// sources returns what a line names as a source. What is neither a pull spec nor a mapping is
// returned as it is, for the message.
func sources(line string) []string {
	fields := strings.Fields(besideEquals.ReplaceAllString(line, "="))
	isPair := func(s string) bool { return strings.Contains(s, "=") }
	switch {
	case len(fields) == 0:
		return nil
	case isPair(fields[0]):
		for i, f := range fields {
			fields[i], _, _ = strings.Cut(f, "=")
		}
		return fields
	case slices.ContainsFunc(fields, isPair), len(fields) > 1 && slices.ContainsFunc(fields, isWord):
		return []string{strings.TrimSpace(line)}
	}
	return fields[:1]
}

// isWord reports whether a text is no pull spec that anybody would write beside another.
func isWord(s string) bool { return !strings.Contains(s, "/") }

// transport is what containers/image puts before an image of a registry.
const transport = "docker://"

// maxWarnings is how many entries are named; the rest is counted.
const maxWarnings = 20

func (l *list) add(where, name, text string) {
	ref, err := imageref.Parse(strings.TrimPrefix(text, transport))
	if err != nil {
		if len(l.warnings) < maxWarnings {
			l.warnings = append(l.warnings, fmt.Sprintf("%s: %s: %v; left out", l.file, where, err))
		} else if len(l.warnings) == maxWarnings {
			l.warnings = append(l.warnings, l.file+": more entries are no image references; left out")
		}
		return
	}
	l.images = append(l.images, Image{name, ref})
}

// limited is a reader that fails when there is more.
type limited struct {
	r         io.Reader
	remaining int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.remaining <= 0 {
		return 0, fmt.Errorf("more than %d bytes", maxSize)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.remaining)])
	l.remaining -= int64(n)
	return n, err
}
