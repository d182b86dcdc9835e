package sources_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

func factory(scheme string) sources.Factory {
	return sources.Factory{Scheme: scheme, Open: func(_ context.Context, arg string) (policy.OverrideSource, error) {
		switch arg {
		case "bad":
			return nil, errors.New("no such thing")
		case "nil":
			return nil, nil
		}
		return sources.Static(scheme+" with "+arg, policy.Policy{}), nil
	}}
}

func TestRegistry(t *testing.T) {
	r, err := sources.NewSchemes(factory("file"), factory("env"), factory("x-1.y+z"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := r.Open(t.Context(), "file:a:b")
	if err != nil || src.Name() != "file with a:b" {
		t.Errorf("got %v, %v", src, err)
	}
	if src, err := r.Open(t.Context(), "env:"); err != nil || src.Name() != "env with " {
		t.Errorf("an empty argument is for the factory to judge: got %v, %v", src, err)
	}
	var schemes []string
	for _, f := range r.Factories() {
		schemes = append(schemes, f.Scheme)
	}
	if got := strings.Join(schemes, " "); got != "env file x-1.y+z" {
		t.Errorf("factories: %s", got)
	}

	for _, spec := range []string{"", "policies.yaml", "fil:x", "FILE:x"} {
		_, err := r.Open(t.Context(), spec)
		if wrong, ok := errors.AsType[*sources.SpecError](err); !ok || wrong.Spec != spec || !strings.Contains(err.Error(), "env, file, x-1.y+z") {
			t.Errorf("%q: got %v, want a SpecError that lists the schemes", spec, err)
		}
	}
	for _, spec := range []string{"file:bad", "file:nil"} {
		src, err := r.Open(t.Context(), spec)
		if _, isSpec := errors.AsType[*sources.SpecError](err); err == nil || isSpec || src != nil {
			t.Errorf("%s: got %v, %v, want the factory's error", spec, src, err)
		}
	}
}

func TestNewRegistryRefuses(t *testing.T) {
	for name, factories := range map[string][]sources.Factory{
		"a duplicate":   {factory("a"), factory("a")},
		"no scheme":     {factory("")},
		"upper case":    {factory("File")},
		"a colon":       {factory("a:b")},
		"a digit first": {factory("1a")},
		"a space":       {factory("a b")},
		"no Open":       {{Scheme: "a"}},
	} {
		if _, err := sources.NewSchemes(factories...); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	r, err := sources.NewSchemes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(t.Context(), "a:b"); err == nil || !strings.Contains(err.Error(), "known are none") {
		t.Errorf("an empty registry: %v", err)
	}
}
