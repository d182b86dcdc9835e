// Package health remembers how the hosts that lookups go to have been doing: which
// of them answer, how long that usually takes, and which are better asked later.
//
// It knows no registry and no image and asks nobody. Who asks ([chain.Mirrors] and
// [chain.Images]) reports what came of it, and asks before the next time. One
// [Health] may serve any number of chains: a host that hangs for one hangs for all.
//
// A host is [Healthy] until an attempt at it fails as no honest answer does: it
// refuses, resets, fails in TLS or is silent too long. It is [Suspect] from the first
// such failure and [Open], in the words of circuit breakers, from the third in a row.
// Either way it is asked behind the healthy hosts, and beside them as a probe, one at
// a time: a suspect host at once, an open one after 15 s, doubling to 2 min while
// probes fail. One answer makes it healthy.
//
// [chain.Mirrors]: https://pkg.go.dev/github.com/mirrorchain/mirrorchain/chain#Mirrors
// [chain.Images]: https://pkg.go.dev/github.com/mirrorchain/mirrorchain/chain#Images
package health
