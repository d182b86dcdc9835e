// Package health remembers how the hosts of registries behave: which of them answer,
// how long they take to begin an answer, and which of them should be asked after the
// others.
//
// The package contacts nobody. [chain.Mirrors], [chain.Images] and [chain.Finder] report
// the outcome of each attempt, and read the state of a host before the next attempt. One
// [Health] may serve any number of chains, so that all of them learn from one failure.
//
// A host has one of three states:
//
//   - [Healthy]: the last attempt got an answer, or nothing is known of the host.
//   - [Suspect]: the last attempt did not reach a working server: the connection was
//     refused or reset, TLS failed, or the host was silent for too long.
//   - [Unhealthy]: three such failures followed one another.
//
// Answers such as 404 or 401 are no failures. An answer of an overloaded server, 429 or
// 5xx, changes no state. Suspect and unhealthy hosts are never left out; they are asked
// after the healthy ones. From time to time a lookup also sends a probe to such a host, in
// the background: to a suspect host with the next lookup, and to an unhealthy host after
// 15 s. This time doubles, up to 2 min, while the probes fail. There is never more than one
// probe of a host at a time. One answer makes a host healthy again. (This is a circuit
// breaker whose open state is "asked last" instead of "refused", and whose half-open test
// is the probe.)
//
// [chain.Mirrors]: https://pkg.go.dev/github.com/mirrorchain/mirrorchain/chain#Mirrors
// [chain.Images]: https://pkg.go.dev/github.com/mirrorchain/mirrorchain/chain#Images
// [chain.Finder]: https://pkg.go.dev/github.com/mirrorchain/mirrorchain/chain#Finder
package health
