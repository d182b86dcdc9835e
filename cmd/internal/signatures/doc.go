// Package signatures reads what flags name: keyrings, stores of signatures, and image
// policies. The command line and the operators have the same.
package signatures

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// UsageError says that a flag is not written as it should be.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// maxFile is the size in bytes of the largest file that is read.
const maxFile = 32 << 20

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path)
}

// readAll reads a file with that path.
func readAll(f io.Reader, path string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return data, err
}

// files returns the files of a folder, without those whose names begin with a dot.
func files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, err
}

// object is an object of the Kubernetes API.
type object struct {
	kind string
	json []byte
}

var objectPattern = regexp.MustCompile(`\A\s*\{|(?m:^(---|apiVersion:|kind:)\s)`)

// isObjects reports whether data is meant as objects, in YAML or JSON, and not as keys.
func isObjects(data []byte) bool { return utf8.Valid(data) && objectPattern.Match(data) }

// objects reads the documents of a file, and the items of lists.
func objects(data []byte) ([]object, error) {
	var out []object
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096); ; {
		var doc json.RawMessage
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if len(doc) == 0 || string(doc) == "null" {
			continue
		}
		var o struct {
			Kind  string            `json:"kind"`
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(doc, &o); err != nil {
			return nil, errors.New("a document in it is no object")
		}
		of, isList := strings.CutSuffix(o.Kind, "List")
		if !isList {
			out = append(out, object{o.Kind, doc})
			continue
		}
		for i, item := range o.Items {
			var in struct {
				Kind string `json:"kind"`
			}
			if err := json.Unmarshal(item, &in); err != nil {
				return nil, fmt.Errorf("item %d of the list is no object", i+1)
			}
			if in.Kind == "" {
				in.Kind = of // the API server's own lists say it once
			}
			out = append(out, object{in.Kind, item})
		}
	}
}
