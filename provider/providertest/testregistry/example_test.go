package testregistry_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func Example() {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reg.Close()
	release := testpayload.Must(testpayload.Release{Version: "4.17.3"}.Image())
	reg.Push("ocp/release", "4.17.3", release)

	// The first request for a manifest goes wrong.
	reg.Inject(testregistry.Fault{
		Match:  testregistry.Match{Kind: testregistry.Manifest},
		Times:  1,
		Action: testregistry.RetryLater(http.StatusServiceUnavailable, "1"),
	})

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: reg.CA().Pool()}}}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Get(reg.URL() + "/v2/ocp/release/manifests/4.17.3")
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	for _, q := range reg.Requests() {
		fmt.Printf("%s %s:%s %d %q\n", q.Method, q.Repository, q.Reference, q.Status, q.Fault)
	}
	fmt.Println("connections:", reg.Main().Stats().Connections)
	// Output:
	// GET ocp/release:4.17.3 503 "status 503"
	// GET ocp/release:4.17.3 200 ""
	// connections: 1
}
