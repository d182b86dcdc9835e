// Package overrides reads and writes the document in which one process hands its
// merged rules to another. Its schema is described in package sources/handover,
// which is how programs reach it; sources that find such a document in a variable
// or a file read it here.
package overrides
