// Package providertest is for testing what implements or uses the interfaces of
// package provider: conformance suites that every [provider.ReleaseProvider] and
// [provider.ImageProvider] passes, chain layers included, and small fakes.
//
// The suites ask a real registry on a loopback socket (package testregistry) for
// images made in memory (package testpayload). They judge behaviour that any
// implementation owes its callers and say nothing about how many requests it
// takes or how long.
package providertest
