package chain

import (
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// grants are the access grants of a store: who may see which content.
type grants struct {
	ttl    time.Duration
	state  StateStore // may be nil
	stored bounded[grantKey, grant]
}

// grantKey is who asked, where, and for what.
type grantKey struct {
	credential  string // the one entry of the pull secret that applies; "" is anonymous
	tenant      string // that the credential is used for, where it is not the tenant's own
	repository  string // with its registry: the endpoint
	insecure    bool
	digest, tag string            // of a manifest or an index; one of them is set
	platform    provider.Platform // chosen from an index
}

// grant is an access grant: the credential of its key has read the manifest of the
// content from the repository of its key.
type grant struct {
	of     contentKey
	named  string // the digest that the reference itself names
	asked  time.Time
	stored time.Time // when it was last put into the StateStore
}

func grantKeyOf(req *provider.Request) grantKey {
	credential, _ := req.Credentials.For(req.Image)
	k := grantKey{
		credential: credential.ID(), tenant: req.Tenant, repository: req.Image.Name(), insecure: req.Insecure,
		digest: req.Image.Digest(), platform: req.Platform.OrDefault(),
	}
	if k.digest == "" {
		k.tag = req.Image.Normalize().Tag()
	}
	return k
}

func (k *grantKey) recordKey() string {
	return recordKey("grant", k.credential+k.tenant, k.repository, strconv.FormatBool(k.insecure), k.digest, k.tag, k.platform.String())
}

// valid reports whether gr may be used without asking the endpoint. A grant from the
// future may not: the clock was set back after it was stored.
func (g *grants) valid(gr grant) bool {
	age := time.Since(gr.asked)
	return age >= 0 && age < g.ttl
}

// get returns the grant of k, valid or not: one of this process, else a stored one.
func (g *grants) get(k *grantKey) (grant, bool) {
	gr, ok := g.stored.get(k)
	if ok || g.state == nil {
		return gr, ok
	}
	r, ok := getRecord(g.state, k.recordKey())
	if !ok || r.named == "" || k.digest != "" && r.named != k.digest {
		return gr, false
	}
	gr = grant{of: r.of, named: r.named, asked: r.asked, stored: r.asked}
	g.hold(*k, gr)
	return gr, true
}

// add grants access: the credential of k has read the manifest of the content. A tag
// that names a manifest grants access to its digest too.
func (g *grants) add(k grantKey, of contentKey, named string, asked time.Time) {
	g.put(k, grant{of: of, named: named, asked: asked})
	if k.tag != "" && of.platform.IsZero() {
		k.digest, k.tag = of.digest, ""
		g.put(k, grant{of: of, named: of.digest, asked: asked})
	}
}

// put holds a grant. A grant that is renewed often is not stored each time.
func (g *grants) put(k grantKey, gr grant) {
	if g.state != nil {
		old, ok := g.stored.get(&k)
		if ok && old.of == gr.of && old.named == gr.named && gr.asked.Sub(old.stored) < g.ttl/4 {
			gr.stored = old.stored
		} else {
			gr.stored = gr.asked
			putRecord(g.state, k.recordKey(), record{of: gr.of, named: gr.named, asked: gr.asked})
		}
	}
	g.hold(k, gr)
}

// revoke removes the grant of k: the endpoint has denied the access.
func (g *grants) revoke(k *grantKey) {
	g.stored.drop(k)
	if g.state != nil {
		g.state.Delete(k.recordKey())
	}
}

func (g *grants) hold(k grantKey, gr grant) { g.stored.put(k, gr, int64(512+len(k.repository))) }
