// Package env reads mirror policies from environment variables, as another process
// hands them on: HyperShift's source=mirror pairs, or the document with everything. The
// forms are those of package sources/handover.
package env
