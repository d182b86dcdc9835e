// Package diskcache keeps small verified content, and state about it, in a
// directory: what makes a program start without a network, or spares it a download.
//
// Content is kept by its digest, under its digest, and verified by its digest
// whenever it is read; so nothing that happened to the disk can make it wrong, only
// absent. [State] holds small facts that a program wants to remember, such as which
// credential has read what. Its keys may be secret: the directory holds a keyed
// hash of them (HMAC-SHA-256) and nothing else. The hash's key is a random file
// beside them. Who can read that file as well could test guesses of a weak password,
// which is why everything is the user's alone, and why a directory that others can
// write to is refused.
//
// The directory is bounded in bytes: what was not used for longest goes first. Any
// number of processes, of one user, may use it at once, and each may be killed at any
// moment. They need no lock: a file is written beside its place and then renamed, so
// it is there as a whole or not at all; and a file that another process removes is a
// miss, or is read to its end if it was open.
//
// The directory is the cache's own, which a file in it says. One that is neither empty
// nor marked so is refused, and only files are removed whose names the cache makes. On a
// full disk what was not used for longest gives way; what was denied somebody is ended by
// removing a file, which takes no room ([State.Delete]).
//
// Everything here is on one machine's disk and none of it is asked of the network.
// It decides nothing: who may see what is its callers' business. It is not for large
// files either; those of images are in their consumer's hands.
package diskcache
