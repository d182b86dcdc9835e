package testregistry

import (
	"net/http"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

const (
	storagePrefix    = "/storage/"
	storageSignature = "x-signature" // the query parameter that grants access
)

// storagePath returns a signed address of a blob: whoever has it may read it.
func (r *Registry) storagePath(repo, digest string) string {
	return storagePrefix + repo + "/" + digest + "?" + storageSignature + "=" + signature(repo, digest)
}

// signature need not be hard to guess, only have to be asked for.
func signature(repo, digest string) string {
	return testpayload.Digest([]byte("signature " + repo + " " + digest))[7:]
}

func storageDigest(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (r *Registry) serveStorage(req *http.Request, q Request) answer {
	repo, ok := strings.CutPrefix(strings.TrimSuffix(req.URL.Path, "/"+q.Reference), storagePrefix)
	if !ok {
		return failure(http.StatusNotFound, "NoSuchKey", "no such key")
	}
	if q.Authorized() {
		return failure(http.StatusBadRequest, "InvalidArgument", "only one auth mechanism allowed")
	}
	if req.URL.Query().Get(storageSignature) != signature(repo, q.Reference) {
		return failure(http.StatusForbidden, "SignatureDoesNotMatch", "the signature does not match")
	}
	b, ok := r.store.blob(repo, q.Reference)
	if !ok {
		return failure(http.StatusNotFound, "NoSuchKey", "no such key")
	}
	return r.blobAnswer(req, b)
}
