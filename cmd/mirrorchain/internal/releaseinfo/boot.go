package releaseinfo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
)

// BootImage names what machines of one platform start from.
type BootImage struct {
	Stream       string `json:"stream"` // "" is the default one
	Architecture string `json:"architecture"`
	Name         string `json:"name"`    // the platform: "aws"
	Release      string `json:"release"` // the version of the operating system
	Image        string `json:"image"`   // a container image, or one of a cloud without regions; "" for none
}

// BootImageDetail is all of it: --boot-image.
type BootImageDetail struct {
	BootImage
	Regions map[string]string `json:"regions"`
	Files   []BootFile        `json:"files"`
	notices.Notices
}

// BootFile is a file that machines start from.
type BootFile struct {
	Format   string `json:"format"`
	Kind     string `json:"kind"`
	Location string `json:"location"`
	SHA256   string `json:"sha256"`
}

// BootImagesOf lists boot images; b may be nil.
func BootImagesOf(b *bootimages.BootImages) []BootImage {
	all := []BootImage{}
	if b != nil {
		for _, p := range b.Platforms() {
			all = append(all, bootImageOf(p))
		}
	}
	return all
}

func bootImageOf(p bootimages.Platform) BootImage {
	image := p.Image
	if !p.Container.IsZero() {
		image = p.Container.String()
	}
	return BootImage{p.Stream, p.Architecture, p.Name, p.Release, image}
}

// BootImageOf returns all that a release says of one.
func BootImageOf(p bootimages.Platform, n notices.Notices) BootImageDetail {
	d := BootImageDetail{BootImage: bootImageOf(p), Regions: map[string]string{}, Files: []BootFile{}, Notices: n}
	maps.Copy(d.Regions, p.Regions)
	for _, f := range p.Files {
		d.Files = append(d.Files, BootFile{f.Format, f.Kind, f.Location, f.Sha256})
	}
	return d
}

// Text writes what there is to copy, a line each.
func (d BootImageDetail) Text(w io.Writer, l table.Look) {
	name := []string{d.Name, d.Architecture}
	if d.Stream != "" {
		name = append(name, d.Stream)
	}
	fmt.Fprint(w, output.Line("%s  %s", strings.Join(name, "/"), d.Release))
	t := table.Table{Indent: "  ", Columns: []table.Column{{Cut: table.Never}, {Cut: table.Never}, {Cut: table.Never}}}
	if d.Image != "" {
		t.Add(table.Plain("image"), table.Plain(d.Image))
	}
	for _, region := range slices.Sorted(maps.Keys(d.Regions)) {
		t.Add(table.Plain(region), table.Plain(d.Regions[region]))
	}
	for _, f := range d.Files {
		t.Add(table.Plain(f.Format+" "+f.Kind), table.Plain(f.Location))
		t.Add(table.Plain(""), table.Plain("sha256:"+f.SHA256))
	}
	t.Write(w, l)
}
