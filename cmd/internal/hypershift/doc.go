// Package hypershift is what the operators of this project and HyperShift's agree on:
// names, labels, mount paths, conditions and their reasons, and how a pause, a pull
// secret and a CA bundle are read. Each operator takes them from here, so that one reads
// what another writes.
package hypershift
