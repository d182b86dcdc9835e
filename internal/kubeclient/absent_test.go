package kubeclient

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A kind that is there between two looks of the watch, and listed meanwhile, goes away for
// who listed it: without a signal its rules would stay in force as long as the kind is absent.
func TestGoesAwayBetweenTwoLooks(t *testing.T) {
	var present atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/apis":
			_, _ = w.Write([]byte(`{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}]}]}`))
		case r.URL.Query().Get("watch") == "" && present.Load():
			_, _ = w.Write([]byte(`{"kind":"ThingList","apiVersion":"example.com/v1","metadata":{},"items":[]}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		}
	}))
	defer server.Close()
	c, err := New(Config{REST: &rest.Config{Host: server.URL, QPS: 1000}, AbsentPoll: time.Millisecond},
		Resource{Group: "example.com", Versions: []string{"v1"}, Resource: "things"})
	if err != nil {
		t.Fatal(err)
	}
	list := func() bool {
		t.Helper()
		found, err := c.List(t.Context(), func(rest.Result) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	signals := make(chan struct{}, 1000)
	go func() { _ = c.Watch(t.Context(), func() { signals <- struct{}{} }) }()
	<-signals
	if list() {
		t.Fatal("the kind is absent, and was found")
	}
	for range 3 {
		present.Store(true)
		if !list() {
			t.Fatal("the kind is present, and was not found")
		}
		present.Store(false)
		<-signals
		// The watch may have looked before the kind was gone for lists; who lists after the
		// last signal must not find it.
		if list() {
			t.Fatal("the kind is absent, and was found")
		}
	}
	if n := len(signals); n > 0 {
		t.Errorf("%d more signals, though nobody found the kind since", n)
	}
}
