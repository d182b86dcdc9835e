package objects

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
)

const (
	maxDepth      = 8 // of List kinds inside List kinds
	maxMergeDepth = 8 // of mappings that merge keys bring in
)

// Decode reads the policies in data, YAML or JSON, any number of documents.
// where says in origins and errors what data is: "file:policies.yaml".
//
// It reads ICSP, IDMS, ITMS and image.config.openshift.io objects; imageContentSources and
// imageDigestSources of an install-config and of the kinds that carry it; a HostedCluster or
// HostedControlPlane; files that MachineConfig, Ignition and Butane put onto nodes; the
// ConfigMaps that are known to hold one of these; kinds that wrap objects, such as List; and
// a bare list of source and mirrors. Other kinds are skipped and named in Policy.Skipped,
// with a warning where one carries policy or reads like one. What is wrong is a [*policy.InvalidPolicyError] that
// names line, object and entry; then nothing is returned, for half of a policy
// may allow what the whole forbids.
func Decode(where string, data []byte) (policy.Policy, error) {
	s := NewSet("")
	if err := s.documents(where, data); err != nil {
		return policy.Policy{}, err
	}
	return s.Policy()
}

type reader struct {
	*Set
	where      string
	budget     int // nodes and bytes of inner texts that may still be visited
	mergeDepth int
}

// line returns where n starts in the file.
func (r *reader) line(n *yaml.Node) int {
	if n == nil {
		return 0
	}
	return n.Line
}

func (r *reader) documents(data []byte) error {
	docs, jsonErr := jsonDocuments(r.where, data)
	if docs != nil {
		for _, doc := range docs {
			if err := r.document(doc); err != nil {
				return err
			}
		}
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil && jsonErr != nil {
			return jsonErr
		} else if err != nil {
			return syntaxError(r.where, data, err)
		}
		if err := r.document(&doc); err != nil {
			return err
		}
	}
}

func (r *reader) document(doc *yaml.Node) error {
	n := doc
	if n.Kind == yaml.DocumentNode {
		if len(n.Content) == 0 {
			return nil
		}
		n = n.Content[0]
	}
	n = follow(n)
	o := Object{Where: r.where, Line: r.line(n)}
	switch {
	case isNull(n):
		return nil
	case n.Kind == yaml.MappingNode:
		return r.object(n, Kind{}, 0)
	case n.Kind == yaml.SequenceNode:
		return r.bareList(o, n)
	}
	return invalid(o.String(), "the document is no policy: it is %s", describe(n))
}

// bareList reads the file that hypershift create cluster --image-content-sources
// takes: a list of source and mirrors. Other lists are skipped.
func (r *reader) bareList(o Object, n *yaml.Node) error {
	items, err := r.list(o, "the document", n)
	if err != nil {
		return err
	}
	meant := len(items) == 0
	// An entry has mirrors. A source alone is one without any; with another key beside it,
	// it is an entry of somebody else's list, such as source and target.
	for _, item := range items {
		if follow(item).Kind != yaml.MappingNode {
			continue
		}
		fields, err := r.fields(o, "an item of the list", item)
		if err != nil {
			return err
		}
		if get(fields, "kind") != nil {
			return invalid(o.at(r.line(item), 0), "objects must be documents of their own or items of a v1 List, not of a bare list")
		}
		for _, f := range fields {
			if _, near := nearest(f.name, []string{"mirrors"}); near || len(fields) == 1 && f.name == "source" {
				meant = true
			}
		}
	}
	if !meant {
		o.Kind = "list"
		return r.skipNode(o, nil, n)
	}
	o.Kind = contentSources
	set := MirrorSet{Object: o, Pull: policy.PullDigest}
	if set.Entries, err = r.entries(o, n, "", nil); err != nil {
		return err
	}
	return set.AddTo(&r.out)
}
