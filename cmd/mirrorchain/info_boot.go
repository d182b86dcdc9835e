package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/releaseinfo"
	"github.com/mirrorchain/mirrorchain/provider"
)

// bootImage is the value of --boot-image.
type bootImage struct{ platform, architecture, stream string }

func parseBootImage(s string) (bootImage, error) {
	if s == "" {
		return bootImage{}, nil
	}
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return bootImage{}, failure.Usagef("--boot-image %s: want PLATFORM/ARCH[/STREAM], such as aws/x86_64", s)
	}
	b := bootImage{parts[0], parts[1], ""}
	b.architecture = cmp.Or(coreOS[b.architecture], b.architecture)
	if len(parts) == 3 {
		b.stream = parts[2]
	}
	return b, nil
}

func (b bootImage) String() string {
	return strings.TrimSuffix(b.platform+"/"+b.architecture+"/"+b.stream, "/")
}

// printBootImage prints what machines start from.
func (a *app) printBootImage(rel *provider.Release, want bootImage, n notices.Notices) error {
	all := a.bootImages(rel)
	if all == nil {
		return &provider.Error{Class: provider.ClassNotFound, Err: fmt.Errorf("release %s has no boot images that can be read", rel.Version())}
	}
	var names []string
	for _, p := range all.Platforms() {
		at := bootImage{p.Name, p.Architecture, p.Stream}
		if at == want {
			image := releaseinfo.BootImageOf(p, n)
			return a.print(image, func(w io.Writer) { image.Text(w, a.look()) })
		}
		names = append(names, at.String())
	}
	return notFound(fmt.Sprintf("release %s has no boot image %s", rel.Version(), want), want.String(), names)
}
