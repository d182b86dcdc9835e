// Package objects holds the documents that state mirror policies as plain types
// and turns them into the rules of package policy: one place for files and
// clusters, so both mean the same.
//
// [MirrorSet] and [ImageConfig] are what a document says; who has the objects
// from an API fills them, [Decode] reads them from YAML or JSON. The package
// merges nothing and judges no combination: that is the work of
// policy.NewRules.
package objects
