package bootimages

import (
	"cmp"
	"maps"
	"slices"

	"github.com/coreos/stream-metadata-go/stream"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Platform is what machines of one platform start from, in one stream and architecture.
type Platform struct {
	// Stream is the name of the stream, "" the default one.
	Stream string
	// Architecture in the terms of streams: "x86_64".
	Architecture string
	// Name is the platform's: "aws", "metal", "kubevirt".
	Name string
	// Release is the version of the operating system. Where the parts of a platform state
	// several, it is that of its files, else of the first region by name.
	Release string
	// Files are for platforms that files are uploaded to, sorted by format and kind.
	Files []File
	// Regions are the images of a cloud, by region: an AMI, an object in a bucket.
	Regions map[string]string
	// Image is an image of a cloud that has it in all regions ("projects/NAME/global/..."
	// of GCP), "" for none.
	Image string
	// Container is the container image of KubeVirt, by digest; zero for none.
	Container imageref.Ref
}

// File is a file that machines start from.
type File struct {
	// Format is "qcow2.gz", "iso", "pxe" and the like, Kind disk, kernel, initramfs or
	// rootfs.
	Format, Kind string
	// Location is an address, and Sha256 what the file's bytes hash to, in hexadecimal.
	Location, Sha256 string
}

// Platforms returns the platforms of all streams, by stream, architecture and name. The
// default stream comes first.
func (b *BootImages) Platforms() []Platform {
	var out []Platform
	for _, name := range append([]string{""}, b.Names()...) {
		s := b.shared(name)
		if s == nil {
			continue
		}
		for _, arch := range slices.Sorted(maps.Keys(s.Architectures)) {
			for _, p := range b.platformsOf(name, arch, s.Architectures[arch]) {
				out = append(out, *p)
			}
		}
	}
	return out
}

func (b *BootImages) platformsOf(streamName, architecture string, arch stream.Arch) []*Platform {
	byName := make(map[string]*Platform)
	at := func(name string) *Platform {
		if byName[name] == nil {
			byName[name] = &Platform{Stream: streamName, Architecture: architecture, Name: name}
		}
		return byName[name]
	}
	for name, a := range arch.Artifacts {
		p := at(name)
		p.Release, p.Files = a.Release, filesOf(a)
	}
	replicated := func(name string, regions map[string]stream.SingleImage) {
		for _, region := range slices.Sorted(maps.Keys(regions)) {
			at(name).region(region, regions[region].Image, regions[region].Release)
		}
	}
	objects := func(name string, regions map[string]stream.SingleObject) {
		for _, region := range slices.Sorted(maps.Keys(regions)) {
			o := regions[region]
			at(name).region(region, cmp.Or(o.Url, o.Bucket+"/"+o.Object), o.Release)
		}
	}
	images := arch.Images
	if images.Aliyun != nil {
		replicated("aliyun", images.Aliyun.Regions)
	}
	if images.Aws != nil {
		replicated("aws", images.Aws.Regions)
	}
	if images.Ibmcloud != nil {
		objects("ibmcloud", images.Ibmcloud.Regions)
	}
	if images.PowerVS != nil {
		objects("powervs", images.PowerVS.Regions)
	}
	if g := images.Gcp; g != nil {
		p := at("gcp")
		p.Release = cmp.Or(p.Release, g.Release)
		p.Image = "projects/" + g.Project + "/global/images/" + g.Name
	}
	if k := images.KubeVirt; k != nil {
		p := at("kubevirt")
		p.Release = cmp.Or(p.Release, k.Release)
		p.Container, _ = b.KubeVirt(streamName, architecture)
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b *Platform) int { return cmp.Compare(a.Name, b.Name) })
}

func (p *Platform) region(name, image, release string) {
	if p.Regions == nil {
		p.Regions = make(map[string]string)
	}
	p.Regions[name] = image
	p.Release = cmp.Or(p.Release, release)
}

func filesOf(a stream.PlatformArtifacts) []File {
	var files []File
	for _, format := range slices.Sorted(maps.Keys(a.Formats)) {
		f := a.Formats[format]
		for _, part := range []struct {
			kind string
			of   *stream.Artifact
		}{{"disk", f.Disk}, {"initramfs", f.Initramfs}, {"kernel", f.Kernel}, {"rootfs", f.Rootfs}} {
			if part.of != nil {
				files = append(files, File{format, part.kind, part.of.Location, part.of.Sha256})
			}
		}
	}
	return files
}
