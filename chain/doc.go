// Package chain decides where a release image is looked up, and what is changed
// about the answer. It is a set of decorators around a
// [provider.ReleaseProvider], each for one purpose, and [New], which stacks them:
//
//	observe > translate > components > cache > mirrors > store > registry
//
// The first layer is the outermost. A chain reads the current rules once per
// lookup and pins them in the request, so that all its layers, and chains nested
// in it, see one snapshot.
//
//   - [Observe] reports what happens, in every layer below it.
//   - [Translate] fills in what may be handed on for each component.
//   - [Components] replaces single components by name.
//   - [Cache] answers a lookup that was answered before, without asking anybody.
//   - [Mirrors] tries the candidates of the rules in order, hosts that failed behind
//     the others, and does not wait long for a silent one.
//   - [Store] keeps verified content by digest, shown to those who proved that
//     they may see it.
//
// [Images] is the same engine as Mirrors for any image, not only releases.
//
// The package reads no registry and no policy: the base provider does the one,
// func() *policy.Rules stands for the other. It has no state of its own;
// everything lives in the chains that New returns, and in the
// [github.com/mirrorchain/mirrorchain/chain/health.Health] that several may share.
package chain
