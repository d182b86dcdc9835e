package operator

import (
	"fmt"
	"strings"
	"testing"
)

func TestRefuseNetworks(t *testing.T) {
	for list, want := range map[string]string{
		"": "[]", "10.128.0.0/14,172.30.0.0/16": "[10.128.0.0/14 172.30.0.0/16]", "10.129.1.1/14, fd01::/48": "[10.128.0.0/14 fd01::/48]",
		"::ffff:10.0.0.0/104": "[10.0.0.0/8]",
	} {
		got, err := parseNetworks(list)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: got %v, %v, want %s", list, got, err, want)
		}
	}
	for _, list := range []string{"10.0.0.1", "10.0.0.0/8,", "a", "fe80::1%eth0/64", "10.0.0.0/33"} {
		if _, err := parseNetworks(list); err == nil || !strings.Contains(err.Error(), "is no network") {
			t.Errorf("%q: got %v", list, err)
		}
	}
	if vars := HandOnNetworks(""); len(vars) != 0 {
		t.Errorf("nothing is handed on as %v", vars)
	}
}
