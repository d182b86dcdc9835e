// Package filecache keeps files of container images on disk, so that making one
// payload after another does not read the same layers again.
//
// What it keeps is named by the digest of the image and the names asked for, so it
// never goes out of date. It is bounded in bytes: what was not used for longest
// goes first. Each use reads what is kept through its hash again, so a damaged disk
// costs a download and never a wrong file. What is kept survives a restart.
//
// It does not decide who may read an image: whoever asks has read the manifest with
// its own credentials, and knows the digest from there.
package filecache
