// Package check finds out whether images are available through the mirrors in force:
// all images of a release, for example, before a disconnected cluster is installed or
// updated with it.
//
// It requests one manifest for each image, and reads no content. It knows nothing of
// releases: the caller supplies the list of images. Many images are asked for at the same
// time, with a limit for each registry. A registry that answers 429 gets the time that
// it asks for, and fewer requests at a time. One that answers none of several requests in a
// row still gets each request, but no request twice.
package check
