package provider_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

func TestSource(t *testing.T) {
	c := provider.Component{Annotations: map[string]string{
		"io.openshift.build.source-location": "https://github.com/openshift/etcd/", "io.openshift.build.commit.id": "0123456789abcdef",
	}}
	s := c.Source()
	if s != (provider.Source{Repository: "https://github.com/openshift/etcd", Commit: "0123456789abcdef"}) {
		t.Fatalf("%+v", s)
	}
	if got, want := s.URL(), "https://github.com/openshift/etcd/commit/0123456789abcdef"; got != want {
		t.Errorf("URL %q, want %q", got, want)
	}
	to := provider.Source{Repository: s.Repository, Commit: "fedcba9876543210"}
	if got, want := provider.CompareURL(s, to), "https://github.com/openshift/etcd/compare/0123456789abcdef...fedcba9876543210"; got != want {
		t.Errorf("CompareURL %q, want %q", got, want)
	}
	if got := (provider.Component{}).Source(); got != (provider.Source{}) || got.URL() != "" {
		t.Errorf("nothing stated: %+v", got)
	}
}

// No link is made of what is no address of a commit.
func TestNoURL(t *testing.T) {
	good := provider.Source{Repository: "https://github.com/openshift/etcd", Commit: "0123456789abcdef"}
	for _, s := range []provider.Source{
		{Repository: good.Repository, Commit: "main"}, {Repository: good.Repository, Commit: "012345"}, {Repository: good.Repository},
		{Repository: "https://github.com/openshift", Commit: good.Commit}, {Repository: "https://github.com/", Commit: good.Commit},
		{Repository: "https://github.com/openshift/etcd?x", Commit: good.Commit}, {Repository: "https://github.com/a/b/c", Commit: good.Commit},
		{Repository: "http://github.com/openshift/etcd", Commit: good.Commit}, {Repository: "https://github.com.example.com/a/b", Commit: good.Commit},
		{Repository: "javascript:alert(1)", Commit: good.Commit}, {Commit: good.Commit},
	} {
		if s.URL() != "" || provider.CompareURL(good, s) != "" || provider.CompareURL(s, good) != "" {
			t.Errorf("%+v: %q, %q", s, s.URL(), provider.CompareURL(good, s))
		}
	}
	other := provider.Source{Repository: "https://github.com/openshift/other", Commit: good.Commit}
	if got := provider.CompareURL(good, other); got != "" {
		t.Errorf("of two repositories: %q", got)
	}
}
