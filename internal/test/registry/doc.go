// Package registry runs the distribution project's registry for a test: a process
// of its own on loopback, with TLS and with htpasswd or token authentication, whose
// access log can be read. Package testregistry is for faults and barriers; this one
// is for what a registry really does.
//
// The binary comes from package servers. Where it is not built the tests are skipped;
// under make test it always is.
package registry
