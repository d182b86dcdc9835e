package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// errWrites is of a request that would write.
var errWrites = errors.New("this is a dry run, and the request would write; it was not sent")

// RefuseWrites returns cfg so that no request is sent which writes: whatever client is made of it.
// Requests with dryRun=All are sent.
func RefuseWrites(cfg *rest.Config) *rest.Config {
	out := rest.CopyConfig(cfg)
	out.Wrap(func(next http.RoundTripper) http.RoundTripper { return readOnly{next} })
	return out
}

type readOnly struct{ next http.RoundTripper }

func (r readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if writes(req) {
		if req.Body != nil {
			_ = req.Body.Close() // of a request that is not sent
		}
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, errWrites)
	}
	return r.next.RoundTrip(req)
}

// writes reports whether req may write.
func writes(req *http.Request) bool {
	dryRun := func(values []string) bool { return slices.Equal(values, []string{metav1.DryRunAll}) }
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	case http.MethodDelete: // whose options are the body
		options, err := deleteOptions(req)
		return err != nil || !dryRun(options.DryRun)
	}
	return !dryRun(req.URL.Query()["dryRun"])
}

func deleteOptions(req *http.Request) (*metav1.DeleteOptions, error) {
	if req.GetBody == nil {
		return nil, errWrites
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	options := new(metav1.DeleteOptions)
	message, protobuf := bytes.CutPrefix(data, []byte("k8s\x00")) // the magic of Kubernetes' protobuf
	if !protobuf {
		return options, json.Unmarshal(data, options)
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(message); err != nil {
		return nil, err
	}
	return options, options.Unmarshal(envelope.Raw)
}
