// Package writers writes objects as others on a real cluster do: people with kubectl,
// OpenShift's controllers, mutating webhooks, a GitOps tool, HyperShift's own operators.
// An operator is at peace with them when, after any such write, a few seconds later
// nothing is written any more and what matters to the operator is right.
package writers
