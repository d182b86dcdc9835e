// Package env reads and writes mirror policies as HyperShift hands them to its
// processes: OPENSHIFT_IMG_OVERRIDES, and the value of --registry-overrides.
//
// The variable's form is "source=mirror" pairs joined with commas, the source
// repeated for each of its mirrors; "=" means none. It says nothing of digests
// and tags, of never contacting a source, or of insecure registries, so rules
// that need those travel in another way: in a variable that holds the document of
// package sources/handover, which is read here as well. Its mirrors stand in the
// order they are tried.
package env
