// Package testregistry is a container registry on a real loopback socket that
// can be made to fail in every way a registry fails.
//
// It serves the read side of the OCI distribution specification over TLS and
// HTTP/2 (or plain HTTP), with or without authentication, with tokens and blobs
// on hosts of their own if asked. It keeps a log of every request and counts
// connections and handshakes, so that a test can say exactly what was asked of
// whom, and with which credentials.
//
//	reg, err := testregistry.Start(testregistry.Config{})
//	defer reg.Close()
//	release := testpayload.Must(testpayload.Release{}.Image())
//	reg.Push("ocp/release", "4.17.3", release)
//	reg.Fail(testregistry.Match{Kind: testregistry.Blob}, testregistry.HangAfter(1000))
//	... reg.ByTag("ocp/release", "4.17.3") is what to look up, reg.CA().Pool() what to trust
//	reg.Requests() is what happened
//
// Faults come and go at run time. [Registry.Down] refuses connections and
// [Registry.Up] takes them again on the same port; [Registry.Mute] accepts them
// and never answers; [Registry.Fail] makes chosen requests go wrong;
// [Registry.Barrier] holds requests until so many are in flight.
//
// All methods may be called from any goroutine at any time. Nothing outlives
// [Registry.Close]: hanging answers are let go there, and no goroutine is left.
//
// It is for tests and for the demo of the command line, and no place to keep
// images: nothing is written to disk, and there is no way to push over HTTP.
package testregistry
