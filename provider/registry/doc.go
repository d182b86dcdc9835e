// Package registry reads release images, and any other image, from registries
// that speak the OCI distribution specification. It is the provider at the end
// of a chain.
//
// It asks the endpoint that a request's Image names, and no other. Package chain
// chooses mirrors, goes on to the next one and retries. A release by digest costs one
// request for the manifest and one for the layer that holds the release. Nothing is
// asked first to find out how the registry works.
//
// Content is used only after its digest was verified, and everything is read up to a
// limit, see [Limits].
//
// Credentials are sent to the registry they are for, and to the https realm that the
// challenge of this registry names. They are sent nowhere else. Plain HTTP and unverified
// certificates are only for requests that are Insecure. Even then https is tried first. A
// redirect of an insecure registry, and a token realm on the same machine, may be insecure
// as well; a realm on another machine may not.
//
// If policy blocks an address to which a registry leads, nothing is sent there. If another
// host answers, errors report only the status.
//
// Registries differ from the specification in many ways; docs/registry-quirks.md lists
// those that this package knows, with the test for each.
//
// If the caller's context is canceled, the error is of [provider.ClassCanceled]. If its
// deadline passes, the error is of [provider.ClassTimeout] and wraps
// [context.DeadlineExceeded]. A limit of [Timeouts] gives ClassTimeout too, and does not
// wrap it.
//
// Errors are, or wrap, a [*provider.Error].
package registry
