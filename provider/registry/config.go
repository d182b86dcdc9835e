package registry

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"time"
)

// Config says how registries are reached. Its zero value works: the system's
// roots, the proxies of the environment, and the default limits.
type Config struct {
	// TLS returns the TLS settings of one registry ("quay.io", "[::1]:5000"); nil means
	// that no registry has its own. It is also called for the hosts of blob stores and
	// token realms. It may read files: an answer is used for a minute, and if a later call
	// fails, the last answer stays in force. See [CertDirs].
	TLS func(registry string) (TLS, error)
	// RootCAs are the only trusted authorities of registries for which TLS names none;
	// nil is the system's roots. To add to those, start from [x509.SystemCertPool].
	RootCAs *x509.CertPool
	// Proxy chooses a proxy; nil is [http.ProxyFromEnvironment].
	Proxy func(*http.Request) (*url.URL, error)
	// Dial opens connections, for tunnels and tests; nil is a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup finds the addresses of a name; nil is the system's resolver. It is not used
	// with Dial. The addresses are tried one after another, 300 ms apart (RFC 8305).
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// RefuseNetworks are networks in which nothing is dialled for a request whose registry
	// the caller named, and not a policy ([provider.Request].ByPolicy is false). This
	// concerns the registry and every host that it leads to, such as a token realm or the
	// target of a redirect. If there are any, loopback, link-local, multicast and
	// unspecified addresses are refused, too. The address that is dialled counts, whatever
	// its name. A proxy may be in any network, and behind it only a registry that is named
	// by an address can be refused. With Dial it is an error, because it is not known which
	// address Dial uses.
	RefuseNetworks []netip.Prefix
	// HideElsewhere keeps errors from saying why another host, to which a registry led,
	// could not be reached: whether it refused, was silent, failed in TLS or is in
	// RefuseNetworks. It is for programs that show errors to the people who choose the
	// registries. These people could otherwise scan the network for open ports. Observe
	// still gets the reason.
	HideElsewhere bool
	// Insecure makes every registry and every token realm insecure, whatever a request
	// says, because the user asked for it. A realm must still be https.
	Insecure bool
	// UserAgent is what requests call themselves; "" is "mirrorchain".
	UserAgent string
	// Observe, if not nil, is called after each exchange with a host, once its body
	// is closed, on the goroutine that read it; so many calls may run at once. It
	// must be fast and must not block.
	Observe func(Exchange)
	// Blobs, if not nil, keeps the manifests and layers that releases were read from, for
	// the next time. A manifest is still read from the registry, except by Restore, because
	// this shows that the credential may read it. Images are not kept.
	Blobs Blobs
	// Timeouts and Limits have defaults of their own, field by field.
	Timeouts Timeouts
	Limits   Limits
	// Decoders is the largest number of layers that are unpacked at the same time. A layer
	// that waits for the network does not count. 0 is one per CPU that Go uses.
	Decoders int
}

// Timeouts end an exchange that makes no progress, so that another mirror can be asked.
// An exchange that makes progress may take until its context ends. So may one whose
// request is the [provider.Request].Last and whose context has a deadline: for that
// only connecting is limited, to twenty times Connect.
type Timeouts struct {
	// Connect is the time for name lookup, connection and TLS together; 0 is 3 s.
	Connect time.Duration
	// FirstByte is the time from then to the complete header of the answer; 0 is
	// 5 s.
	FirstByte time.Duration
	// Silence is how long 1 KiB of a body may take; 0 is 10 s. So a body that
	// drips counts as silent.
	Silence time.Duration
}

// Silent returns limits by which an endpoint may be silent for d at a time: while the
// connection is made, before the answer and within it. 0 are the defaults.
func Silent(d time.Duration) Timeouts { return Timeouts{Connect: d, FirstByte: d, Silence: d} }

// Limits bound what content may cost. A field that is 0 has the default.
type Limits struct {
	// Manifest bounds a manifest or an index in bytes; 0 is 4 MiB.
	Manifest int64
	// Config bounds an image's config in bytes; 0 is 8 MiB.
	Config int64
	// ImageReferences bounds that file of a release in bytes; 0 is 8 MiB.
	ImageReferences int64
	// ReleaseFile bounds each other file of a release in bytes; 0 is 16 MiB.
	ReleaseFile int64
	// LayerCompressed bounds a layer as it is transferred, in bytes; 0 is 1 GiB.
	LayerCompressed int64
	// LayerUnpacked bounds a layer unpacked, in bytes; 0 is 8 GiB.
	LayerUnpacked int64
	// LayerEntries bounds the entries of a layer; 0 is 1,000,000.
	LayerEntries int
	// Files bounds the files that one call of Files keeps in memory, in bytes
	// together; 0 is 256 MiB.
	Files int64
	// Extract bounds what one call of Extract has on disk at once, in bytes: the layers as
	// they were transferred and the files wanted; 0 is 4 GiB.
	Extract int64
}

func (c Config) withDefaults() (Config, error) {
	for name, n := range map[string]int64{
		"Timeouts.Connect": int64(c.Timeouts.Connect), "Timeouts.FirstByte": int64(c.Timeouts.FirstByte),
		"Timeouts.Silence": int64(c.Timeouts.Silence), "Limits.Manifest": c.Limits.Manifest,
		"Limits.Config": c.Limits.Config, "Limits.ImageReferences": c.Limits.ImageReferences,
		"Limits.ReleaseFile": c.Limits.ReleaseFile, "Limits.LayerCompressed": c.Limits.LayerCompressed,
		"Limits.LayerUnpacked": c.Limits.LayerUnpacked, "Limits.LayerEntries": int64(c.Limits.LayerEntries),
		"Limits.Files": c.Limits.Files, "Limits.Extract": c.Limits.Extract, "Decoders": int64(c.Decoders),
	} {
		if n < 0 {
			return Config{}, fmt.Errorf("registry: Config.%s is negative", name)
		}
	}
	if len(c.RefuseNetworks) > 0 && c.Dial != nil {
		return Config{}, errors.New("registry: Config.RefuseNetworks cannot be judged with Config.Dial")
	}
	for _, p := range c.RefuseNetworks {
		if !p.IsValid() {
			return Config{}, errors.New("registry: Config.RefuseNetworks has a network that is none")
		}
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	c.UserAgent = cmp.Or(c.UserAgent, "mirrorchain")
	c.Decoders = cmp.Or(c.Decoders, runtime.GOMAXPROCS(0))

	t := &c.Timeouts
	t.Connect = cmp.Or(t.Connect, 3*time.Second)
	t.FirstByte = cmp.Or(t.FirstByte, 5*time.Second)
	t.Silence = cmp.Or(t.Silence, 10*time.Second)

	const mib, gib = 1 << 20, 1 << 30
	l := &c.Limits
	l.Manifest = cmp.Or(l.Manifest, 4*mib)
	l.Config = cmp.Or(l.Config, 8*mib)
	l.ImageReferences = cmp.Or(l.ImageReferences, 8*mib)
	l.ReleaseFile = cmp.Or(l.ReleaseFile, 16*mib)
	l.LayerCompressed = cmp.Or(l.LayerCompressed, gib)
	l.LayerUnpacked = cmp.Or(l.LayerUnpacked, 8*gib)
	l.LayerEntries = cmp.Or(l.LayerEntries, 1_000_000)
	l.Files = cmp.Or(l.Files, 256*mib)
	l.Extract = cmp.Or(l.Extract, 4*gib)
	return c, nil
}
