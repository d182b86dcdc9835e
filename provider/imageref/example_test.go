package imageref_test

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func ExampleParse() {
	r, err := imageref.Parse("alpine:3")
	fmt.Println(r, r.Registry(), r.Repository(), r.Tag(), err)
	// Output: docker.io/library/alpine:3 docker.io library/alpine 3 <nil>
}
