package registry

import (
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Exchange is one HTTP request and what came of it, as [Config].Observe is told.
// It holds nothing secret: no header, no query, no credential, and of an address
// that a server chose (a redirect's, a token realm's) the host alone.
type Exchange struct {
	// Method and Scheme are "GET" or "POST", and "https" or "http".
	Method, Scheme string
	// Host is whom the request was for, with the port where it is not the
	// scheme's own; a proxy on the way is not mentioned. Where a redirect or a
	// realm repeats a secret in its host's name it is "(withheld)".
	Host string
	// Path is what a registry was asked for, "/v2/...", without a query. It is ""
	// for redirects and token realms, whose paths may be signed.
	Path string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Class is why there was no answer or no complete body; [provider.ClassUnknown]
	// where nothing went wrong on the way, whatever the Status.
	Class provider.Class
	// Bytes are those of the body that were read, as they came.
	Bytes int64
	// Took is from before the connection to the end of the body. The reader's own
	// work between reads, unpacking for one, is part of it.
	Took time.Duration
}
