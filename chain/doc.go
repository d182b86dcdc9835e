// Package chain looks up release images through mirrors. It decides which registry is
// asked, in which order and for how long; it caches answers; and it adapts the answer
// for those who use it.
//
// A [Chain] is a stack of layers around a base provider, which reads one image from one
// registry. [New] builds it, and [Default] returns the usual layers:
//
//	observe > translate > components > cache > mirrors > store > registry
//
// and the layer verify above cache, if it is configured.
//
// The first layer is the outermost. Each layer has one purpose:
//
//   - [Observe] reports what happens, in itself and in every layer below.
//   - [Translate] sets the image of each component to what may be given to others.
//   - [Components] replaces single components by name.
//   - [Verify] has the signatures of releases judged, and answers with no other ones.
//   - [Cache] answers a lookup that was answered before, without asking a registry.
//   - [Mirrors] asks the candidates in order until one of them answers.
//   - [Store] holds verified content by digest, for those who may read it.
//   - The base, at the end, is usually that of package provider/registry.
//
// [Images] does what Mirrors does, for any image, and [Contents] for manifests as they are.
// A [Finder] only finds out whether an image is available.
//
// # How a lookup proceeds
//
// A lookup of quay.io/ocp/release@sha256:..., where the rules name the mirrors
// a.example/ocp and b.example/ocp, and a.example is down, proceeds as follows:
//
//  1. [Chain.Lookup] takes the current rules and sets them in the request, so that all
//     layers use the same ones.
//  2. Cache has no answer. It starts a flight: one shared lookup for all callers that
//     ask for the same now.
//  3. Mirrors gets the candidates from the rules, in this order: a.example/ocp/release,
//     b.example/ocp/release, and the source itself, quay.io/ocp/release. (With
//     NeverContactSource the source is not among them.) All three hosts are healthy, as
//     nothing is known of them.
//  4. The first attempt goes through Store and the base to a.example. The host refuses
//     the connection. The attempt fails, and b.example is asked at once.
//  5. b.example sends the manifest. The base verifies its digest, reads the release and
//     verifies that too.
//  6. Store holds the release, and the access grant of the credential that read the
//     manifest. Cache holds the answer. Translate and Components adapt it.
//  7. The caller gets the release. PulledFrom is b.example/ocp/release, and Attempts
//     lists a.example with its error, then b.example.
//
// The health of a.example is now suspect. The same image is answered by Cache from now
// on. The lookup of another image asks b.example first, and sends a probe to a.example
// in the background. When a probe is answered, a.example is healthy again and has its
// old place.
//
// # A silent mirror
//
// If a.example accepts the connection and is silent, or does not even accept it, steps
// 4, 5 and 7 differ:
//
//   - Step 4: after the hedge delay, here 300 ms, b.example is asked as well. This is a
//     hedge.
//   - Step 5: when b.example has sent the whole release, the attempt at a.example is
//     given up.
//   - Step 7: the error of a.example is a timeout.
//
// The rest is the same: a.example is suspect, and the next lookup asks b.example first.
//
// In the following cases there is no hedge, and the next candidate is asked only when a
// time limit ends the attempt. With the base of package provider/registry that takes at
// most 3 s without a connection, and 5 s more without an answer:
//
//   - Only the source follows. It is never asked at the same time as a mirror.
//   - The lookup is by tag. Two mirrors may hold different images under one tag.
//   - A Finder asks. It asks one candidate after another.
//
// Later lookups wait less: the host has failed, so it is asked after healthy ones, or is
// waited for only for the hedge delay. See [Mirrors].
//
// # Glossary
//
//   - source: the registry, namespace, repository or wildcard that a rule names mirrors
//     for. The source of an image, or the source itself, is the image at its own
//     registry. (An OverrideSource of package policy is another thing: a file, a cluster
//     or a variable that states policies.)
//   - mirror: a place where, as a rule says, the images of a source are found too.
//   - candidate: a reference at which an image may be read: at a mirror, or at the
//     source. The rules name the candidates of an image, in order.
//   - endpoint: the registry and repository of a candidate.
//   - host: the registry of a candidate, with its port. Health belongs to a host.
//   - attempt: one request for the image to one candidate. An attempt may consist of
//     several HTTP requests.
//   - silent: a host is silent until it has sent the first byte of an answer, whether
//     there is a connection or not.
//   - hedge: an attempt at the next mirror while an earlier one is still silent.
//   - hedge delay: how long a host may be silent until the next mirror is asked too. See
//     [MirrorsConfig].
//   - probe: an attempt that finds out whether a host that failed has recovered. Most
//     probes run in the background, beside an attempt at a healthy host.
//   - health: what is known of a host: healthy, suspect or unhealthy. See package
//     [github.com/mirrorchain/mirrorchain/chain/health].
//   - access grant: the record that a credential has read a manifest from a repository,
//     and so may see its content for some time.
//   - stale: an answer that was cached before, and is served because no candidate
//     answers now.
//   - verdict: what a verifier says about the signatures of an answer: who signed, or why
//     it is refused. See [Verify].
//   - flight: work that several callers share. A caller leaves it when its own context
//     ends, and it goes on for the others.
//
// # Limits
//
// The package reads no registry and no policy. The base reads registries, and the
// function that is passed to New supplies the rules. There is no package state.
// Everything is in the chains that New returns, and in the
// [github.com/mirrorchain/mirrorchain/chain/health.Health] that several may share.
package chain
