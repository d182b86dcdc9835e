// Package registry reads release images, and any other image, from registries
// that speak the OCI distribution specification. It is the provider at the end
// of a chain.
//
// It reads exactly the endpoint that a request's Image names, once: choosing
// mirrors, moving on to the next and trying again are package chain's. It asks
// for nothing it does not need: a release by digest costs one request for the
// manifest and one for the layer that holds the release. There is no ping.
//
// Nothing is believed before its digest is verified, and nothing is read without
// a limit, see [Limits]. Credentials go to the registry they are for and to the
// https realm that registry's challenge names, and to nobody else. Plain HTTP
// and unverified certificates are for requests that say Insecure: https comes
// first then, and what the registry redirects to, and a realm on its own machine,
// need no better certificate than it has. A realm elsewhere does, and is https.
// What policy blocks is not asked either where a registry leads there, and of what
// other hosts answer nothing but the status is told.
//
// A caller's context that was cancelled is [provider.ClassCanceled], one whose
// deadline passed is [provider.ClassTimeout] and wraps
// [context.DeadlineExceeded]; a limit of [Timeouts] is ClassTimeout and does not.
//
// Errors are, or wrap, a [*provider.Error].
package registry
