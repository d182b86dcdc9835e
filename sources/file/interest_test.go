package file

import "testing"

// A file among many is told of when it changes, not when its neighbours do.
func TestInterest(t *testing.T) {
	in := interest{}
	in.add("/d", "p.yaml")
	in.all("/d/all")
	in.add("/d/all", "x") // changes nothing: all is all
	for path, want := range map[string]bool{
		"/d/p.yaml":       true,
		"/d/..data":       true,
		"/d/..data_tmp":   true,
		"/d/q.yaml":       false,
		"/d/p.yaml~":      false,
		"/elsewhere/p":    false,
		"/d":              true,
		"/d/all/anything": true,
		"/d/all/x":        true,
	} {
		if got := in.concern(path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}
