package testregistry

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func (r *Registry) serveRegistry(req *http.Request, q Request) answer {
	if q.Kind == Token && r.token == r.main {
		return r.serveToken(req, q)
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return failure(http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
	if q.Kind == Other {
		return failure(http.StatusNotFound, "NOT_FOUND", "no such page")
	}
	if a, ok := r.auth.check(req, q); !ok {
		return a
	}
	switch q.Kind {
	case Manifest:
		return r.serveManifest(req, q)
	case Blob:
		return r.serveBlob(req, q)
	case Tags:
		tags, ok := r.store.tags(q.Repository)
		if !ok {
			return failure(http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		}
		return jsonAnswer(http.StatusOK, map[string]any{"name": q.Repository, "tags": tags})
	}
	return jsonAnswer(http.StatusOK, struct{}{})
}

func (r *Registry) serveManifest(req *http.Request, q Request) answer {
	img, ok := r.store.manifest(q.Repository, q.Reference)
	if !ok {
		return failure(http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	}
	if !r.accepts(req, img.MediaType) {
		return failure(http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest is of type "+img.MediaType+", which the Accept header does not allow")
	}
	a := answer{
		status: http.StatusOK,
		header: http.Header{
			"Content-Type":          {img.MediaType},
			"Docker-Content-Digest": {img.Digest},
			"Etag":                  {`"` + img.Digest + `"`},
		},
		size: int64(len(img.Manifest)),
		body: func(w io.Writer) error { _, err := w.Write(img.Manifest); return err },
	}
	return r.unlessModified(req, img.Digest, a)
}

func (r *Registry) serveBlob(req *http.Request, q Request) answer {
	b, ok := r.store.blob(q.Repository, q.Reference)
	if !ok {
		return failure(http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
	}
	if r.storage != nil && req.Method == http.MethodGet {
		return answer{
			status: http.StatusTemporaryRedirect,
			header: http.Header{"Location": {r.storage.URL() + r.storagePath(q.Repository, b.Digest)}},
		}
	}
	return r.unlessModified(req, b.Digest, r.blobAnswer(req, b))
}

// blobAnswer returns a blob, or the part of it that a Range header asks for.
func (r *Registry) blobAnswer(req *http.Request, b testpayload.Blob) answer {
	a := answer{
		status: http.StatusOK,
		header: http.Header{
			"Content-Type":          {"application/octet-stream"},
			"Docker-Content-Digest": {b.Digest},
			"Accept-Ranges":         {"bytes"},
			"Etag":                  {`"` + b.Digest + `"`},
		},
		size: b.Size,
		body: func(w io.Writer) error { _, err := b.WriteTo(w); return err },
	}
	first, last, ok := byteRange(req.Header.Get("Range"), b.Size)
	if !ok || r.cfg.NoRanges {
		return a
	}
	if first >= b.Size {
		f := failure(http.StatusRequestedRangeNotSatisfiable, "SIZE_INVALID", "range outside of the blob")
		f.header.Set("Content-Range", "bytes */"+strconv.FormatInt(b.Size, 10))
		return f
	}
	a.status, a.size = http.StatusPartialContent, last-first+1
	a.header.Set("Content-Range", "bytes "+strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(last, 10)+"/"+strconv.FormatInt(b.Size, 10))
	a.body = func(w io.Writer) error {
		_, err := b.WriteTo(&window{w: w, skip: first, remaining: last - first + 1})
		if err == errWindow {
			return nil
		}
		return err
	}
	return a
}

// byteRange reads "bytes=A-B" and "bytes=A-"; other ranges are ignored, as a
// server may.
func byteRange(s string, size int64) (first, last int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes=")
	from, to, dash := strings.Cut(s, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil || first < 0 {
		return 0, 0, false
	}
	last = size - 1
	if to != "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < first {
			return 0, 0, false
		}
		last = min(last, n)
	}
	return first, last, true
}

func (r *Registry) unlessModified(req *http.Request, digest string, a answer) answer {
	if r.cfg.Unconditional {
		return a
	}
	for _, tag := range strings.Split(req.Header.Get("If-None-Match"), ",") {
		if strings.Trim(strings.TrimSpace(tag), `"`) == digest {
			return answer{status: http.StatusNotModified, header: a.header, size: -1}
		}
	}
	return a
}

// accepts reports whether the Accept headers allow a media type. A client
// without any accepts everything.
func (r *Registry) accepts(req *http.Request, mediaType string) bool {
	lines := req.Header.Values("Accept")
	all := strings.Join(lines, ",")
	if strings.TrimSpace(all) == "" {
		return true
	}
	if r.cfg.AcceptByLine {
		return slices.Contains(lines, mediaType)
	}
	for _, a := range strings.Split(all, ",") {
		if t, _, err := mime.ParseMediaType(a); err == nil && (t == mediaType || t == "*/*") {
			return true
		}
	}
	return false
}

// failure returns an error body of the distribution specification.
func failure(status int, code, message string) answer {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return jsonAnswer(status, map[string][]entry{"errors": {{code, message}}})
}

func jsonAnswer(status int, v any) answer {
	b, err := json.Marshal(v)
	if err != nil { // nothing we encode can fail
		panic(err)
	}
	return answer{
		status: status, header: http.Header{"Content-Type": {"application/json"}}, size: int64(len(b)),
		body: func(w io.Writer) error { _, err := io.Copy(w, bytes.NewReader(b)); return err },
	}
}
