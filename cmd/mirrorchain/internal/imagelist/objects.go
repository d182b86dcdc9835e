package imagelist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// json reads one or more values, as catalogs have them one after another.
func (l *list) json(in io.Reader) error { return l.values("value", json.NewDecoder(in)) }

// yaml reads one or more documents.
func (l *list) yaml(in io.Reader) error { return l.values("document", yaml.NewDecoder(in)) }

func (l *list) values(what string, d interface{ Decode(any) error }) error {
	for n := 1; ; n++ {
		var v any
		switch err := d.Decode(&v); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s %d: %w", what, n, err)
		}
		if _, text := v.(string); text {
			return errors.New("neither a list of images nor YAML or JSON with objects")
		}
		l.object(v)
	}
}

// object reads one document: an object of Kubernetes, a list of them, or an entry of a
// catalog.
func (l *list) object(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			l.object(e)
		}
	case map[string]any:
		if items, ok := v["items"].([]any); ok && strings.HasSuffix(text(v["kind"]), "List") {
			l.object(items)
			return
		}
		l.walk(v, title(v), 0)
	}
}

// title names an object: "Deployment etcd-operator", or the name of a bundle.
func title(v map[string]any) string {
	name := text(v["name"])
	if meta, ok := v["metadata"].(map[string]any); ok && name == "" {
		name = text(meta["name"])
	}
	return strings.TrimSpace(text(v["kind"]) + " " + name)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// maxDepth is deeper than any object is nested. Aliases of YAML cannot nest without end.
const maxDepth = 100

// walk finds the images in a value: "image" of a container, a bundle, a catalog source or
// among relatedImages, "reference" of an image volume, "from" of a tag of an image stream,
// "url" of a disk that is imported from a registry, the names among additionalImages, and
// variables RELATED_IMAGE_*. Objects that stand as text in a bundle or a ConfigMap are
// not read: a catalog lists what they name among relatedImages.
func (l *list) walk(v any, of string, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			l.walk(e, of, depth+1)
		}
	case map[string]any:
		l.field(v, of)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch {
			case key == "annotations" || key == "labels":
				continue // their keys are anybody's
			case key == "containerStatuses" || key == "initContainerStatuses" || key == "ephemeralContainerStatuses":
				continue // the runtime's names of what the containers name
			}
			l.walk(v[key], of, depth+1)
		}
	}
}

func (l *list) field(v map[string]any, of string) {
	name := of
	if n := text(v["name"]); n != "" && n != of && !strings.HasSuffix(of, " "+n) {
		name = strings.TrimPrefix(of+": "+n, ": ")
	}
	switch image := v["image"].(type) {
	case string:
		if image != "" && !isDigest(image) && (strings.Contains(image, "/") || v["name"] != nil) {
			l.add(name, name, image)
		}
	case map[string]any: // a volume
		if ref := text(image["reference"]); ref != "" {
			l.add(name, name, ref)
		}
	}
	if strings.HasPrefix(text(v["name"]), "RELATED_IMAGE_") && text(v["value"]) != "" {
		l.add(name, name, text(v["value"]))
	}
	if url := text(v["url"]); strings.HasPrefix(url, transport) {
		l.add(name, name, url)
	}
	if more, ok := v["additionalImages"].([]any); ok { // of an ImageSetConfiguration
		for _, e := range more {
			if e, ok := e.(map[string]any); ok && text(e["name"]) != "" {
				l.add(name, name, text(e["name"]))
			}
		}
	}
	if from, ok := v["from"].(map[string]any); ok && text(from["kind"]) == "DockerImage" {
		l.add(name, name, text(from["name"]))
	}
}

// isDigest reports whether a text is a digest alone, as status has it: that says nothing of
// where the image is.
func isDigest(s string) bool { return strings.HasPrefix(s, "sha256:") && len(s) == len("sha256:")+64 }
