package provider

import "unsafe"

// Size estimates the bytes of memory that r's content takes, views derived from it
// not counted. It is for caches that are bounded by bytes; it walks the components.
func (r *Release) Size() int {
	c := r.content
	n := int(unsafe.Sizeof(*c)) + len(c.version) + len(c.digest) + len(c.bootImages) + c.interned
	n += len(c.components) * int(unsafe.Sizeof(component{}))
	n += len(c.versions) * int(unsafe.Sizeof(""))
	for i := range c.components {
		p := &c.components[i]
		n += len(p.name) + len(p.canonical.String()) + len(p.annotations)*int(unsafe.Sizeof(""))
		if p.image != p.canonical {
			n += len(p.image.String())
		}
		for _, ref := range p.pullFrom {
			n += int(unsafe.Sizeof(ref)) + len(ref.String())
		}
	}
	return n
}
