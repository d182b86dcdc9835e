// Package chain looks up release images through mirrors. It decides which registry is
// asked, in which order and for how long. It caches answers, and adapts them to the
// program that asks.
//
// A [Chain] is a stack of layers around a base provider, which reads one image from one
// registry. [New] builds it, and [Default] returns the usual layers:
//
//	observe > translate > components > cache > mirrors > store > registry
//
// If signatures are to be verified, the layer verify is above cache.
//
// The first layer is the outermost. Each layer has one purpose:
//
//   - [Observe] reports what happens, in itself and in every layer below.
//   - [Translate] applies Rewrite rules to the references of components, which a program
//     hands on.
//   - [Components] replaces single components by name.
//   - [Verify] returns only releases whose signatures were accepted.
//   - [Cache] answers a lookup that was answered before, without asking a registry.
//   - [Mirrors] asks the candidates in order until one of them answers.
//   - [Store] holds verified content by digest. It gives content only to requests whose
//     credential was seen to read it.
//   - The base, at the end, is usually that of package provider/registry.
//
// Three providers are no layers. They ask the candidates as Mirrors does: [Images] opens
// any image, [Contents] reads raw manifests and blobs, and a [Finder] only finds out whether
// an image is available.
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
//     NeverContactSource the source is not among them.) Nothing is known of the three
//     hosts, so they count as healthy.
//  4. The first attempt goes through Store and the base to a.example. The host refuses
//     the connection. The attempt fails, and b.example is asked at once.
//  5. The base sends two requests to b.example: one for the manifest, and one for the
//     layer that contains the release. It verifies the digests of both. (An index costs
//     one more request, and a bearer token two.)
//  6. Store holds the release, and the access grant of the credential that read the
//     manifest. Cache holds the answer. Translate and Components adapt it.
//  7. The caller gets the release. PulledFrom is b.example/ocp/release, and Attempts
//     lists a.example with its error, then b.example.
//
// # Later lookups
//
// a.example is now suspect, see package
// [github.com/mirrorchain/mirrorchain/chain/health]. What a later lookup does depends on
// what it asks for:
//
//   - The same image, with the same rules and credentials: Cache answers, and no registry
//     is asked. Attempts is empty.
//   - Another image: b.example is asked first. At the same time a probe goes to a.example
//     in the background. If a.example answers, it is healthy again and has its old place.
//   - The same image, with other credentials: b.example and a.example are asked in the same
//     way, but only for the manifest. It gives these credentials an access grant, and Store
//     has the rest.
//
// After three failures in a row a.example is unhealthy: only one lookup in 15 s sends a
// probe, and later one in 2 min.
//
// # When all candidates fail
//
// When every candidate has failed, some of them are asked again:
//
//   - first those that were given only the hedge delay, with their full time. They are
//     mirrors on hosts that failed before;
//   - then those that answered 429 or 5xx, up to three times, with growing delays.
//
// A candidate that refuses connections is asked once. A silent one is waited for until a
// limit of the base ends the attempt. The last one may take until the deadline of the
// caller, if there is one.
//
// If none of this helps, the caller gets an [*Error] with all attempts. For a short time
// Cache answers the same lookup with this error, and no registry is asked: for 3 s if a
// candidate was unreachable, overloaded or not trusted, and for 15 s if all of them denied
// the image.
//
// # A silent mirror
//
// If a.example accepts the connection and sends nothing, or neither accepts nor refuses
// the connection, steps 4, 5 and 7 differ:
//
//   - Step 4: after the hedge delay, which is 300 ms for a host that has never answered,
//     b.example is asked as well. This is a hedge.
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
//     there is a connection or not. A host that refuses a connection fails at once; it is
//     not silent.
//   - hedge: an attempt at the next mirror while an earlier one is still silent.
//   - hedge delay: how long a host may be silent until the next mirror is asked too. See
//     [MirrorsConfig].
//   - probe: an attempt that finds out whether a host that failed has recovered. Most
//     probes run in the background, beside an attempt at a healthy host. A probe asks for
//     the image of the lookup. If it answers first, a lookup by digest uses its answer.
//   - health: what is known of a host: healthy, suspect or unhealthy. See package
//     [github.com/mirrorchain/mirrorchain/chain/health].
//   - access grant: the record that a credential has read a manifest from a repository,
//     and so may see its content for some time.
//   - stale: an answer that was cached before, and is served because no candidate
//     answers now.
//   - verdict: what a verifier says about the signatures of an answer: who signed, or why
//     it is refused. See [Verify].
//   - denial: an endpoint says that the image does not exist (404), or that the credential
//     may not read it (401, 403).
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
