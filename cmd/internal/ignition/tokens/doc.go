// Package tokens is what becomes of the tokens with which booting nodes fetch their
// Ignition payload: a store of payloads by token that outlives the process, and the
// decision what a token secret needs next.
//
// The rules are HyperShift's: a payload is served for [TTL] after it was stored, a
// token is replaced after [RotateAfter], and the token before it stays good until its
// own time is over. It knows nothing of Kubernetes; whoever reconciles the secrets
// fills in [State] and carries out a [Plan].
package tokens
