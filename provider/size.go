package provider

import "unsafe"

// Size returns an estimate of the bytes of memory that r's content takes, without
// views derived from it. Boot images count with what package bootimages keeps of them. It
// is for caches that are bounded by bytes. It walks the components.
func (r *Release) Size() int {
	c := r.contentOrEmpty()
	n := int(unsafe.Sizeof(*c)) + allocated(c.version) + allocated(c.digest) + c.versions.size()
	if c.files != nil {
		n += c.files.size()
	}
	n += len(c.components) * int(unsafe.Sizeof(component{})+unsafe.Sizeof(sha256sum{}))
	for i := range c.components {
		p := &c.components[i]
		n += allocated(p.name) + p.annotations.size() + len(p.pullFrom)*int(unsafe.Sizeof(packed{}))
	}
	return n
}

// allocated returns about what a string takes: the sizes of small pieces of memory are
// 16 bytes apart (runtime/sizeclasses.go), and a release has thousands of them.
func allocated(s string) int { return (len(s) + 15) &^ 15 }

// size counts for the boot images what they take when they are decoded and remembered,
// which is about a third more than their text.
func (f *files) size() int {
	return int(unsafe.Sizeof(*f)) + len(f.imageReferences.packed) + len(f.bootImages.packed) + f.bootImages.size*4/3
}

// size counts keys once for all, for they are the same everywhere.
func (p pairs) size() int {
	n := len(p) * int(unsafe.Sizeof(""))
	for i := 1; i < len(p); i += 2 {
		n += allocated(p[i])
	}
	return n
}
