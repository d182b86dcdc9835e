// Package tokens handles the tokens with which booting nodes fetch their Ignition
// payload: it stores payloads by token so that they outlive the process, and decides what
// a token secret needs next.
//
// The rules are HyperShift's: a payload is served for [TTL] after it was stored, a token
// is replaced after [RotateAfter], and the previous token stays good until it expires
// itself. The package knows nothing of Kubernetes. A reconciler fills in [State] and
// carries out a [Plan].
package tokens
