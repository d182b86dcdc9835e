package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// bearer is a token, when it was asked for, and until when it is used.
type bearer struct {
	token string
	asked time.Time
	until time.Time
	scope string // that was asked for
}

const (
	maxTokenBody  = 64 << 10
	defaultExpiry = 60 * time.Second // token.md: "defaults to 60 seconds"
	longestExpiry = 24 * time.Hour
	clientID      = "mirrorchain"
)

// exchange is one request for a token.
type exchange struct {
	realm, service, scope string
	plain                 bool // the challenge came over plain HTTP
	unverified            bool // policy calls the realm's host insecure
	cred                  provider.Credential
}

// fetch asks the realm. Errors are [*provider.Error]s.
func (m *Memory) fetch(ctx context.Context, x exchange) (bearer, error) {
	host, req, err := m.prepare(x)
	if err != nil {
		return bearer{}, err
	}
	began := time.Now()
	resp, host, err := m.follow(ctx, x, host, req)
	if err != nil {
		return bearer{}, tokenError(host, err)
	}
	// Realms without OAuth 2's POST have GET, which takes a password.
	if req.Form != "" && (resp.Status == http.StatusNotFound || resp.Status == http.StatusMethodNotAllowed) {
		if user, password, ok := x.cred.Basic(); ok && password != "" {
			resp.Close()
			x.cred = provider.NewCredential(user, password)
			return m.fetch(ctx, x)
		}
	}
	secrets := Secrets(x.cred, Grant{})
	if resp.Status != http.StatusOK {
		var e *provider.Error
		if m.isOwn(x.realm) {
			e = wire.StatusError(resp, secrets...)
		} else {
			e = wire.Status(resp)
		}
		if e.Class == provider.ClassUnknown || e.Class == provider.ClassNotFound {
			// Not found is the realm then, not the image.
			e.Class = provider.ClassUnauthorized
		}
		return bearer{}, tokenError(host, e)
	}
	defer resp.Close()
	body, err := io.ReadAll(io.LimitReader(resp, maxTokenBody+1))
	if err != nil {
		return bearer{}, tokenError(host, err)
	}
	b, err := parseToken(body, began)
	if err != nil {
		if plain, ok := resp.Unzip(body, maxTokenBody); ok {
			body = plain
			b, err = parseToken(body, began)
		}
	}
	if err != nil {
		if page := resp.Page(body); page != nil {
			return bearer{}, tokenError(host, page)
		}
		return bearer{}, tokenError(host, &provider.Error{Class: provider.ClassMalformed, Err: err})
	}
	return b, nil
}

// prepare makes the request and finds whom to send it to.
func (m *Memory) prepare(x exchange) (*wire.Host, wire.Request, error) {
	u, err := url.Parse(x.realm)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return nil, wire.Request{}, unauthorized("its challenge does not name a realm that is an https URL")
	}
	if !wire.IsHost(u.Host) {
		return nil, wire.Request{}, unauthorized("its challenge names a realm with an invalid host")
	}
	// Another machine is not insecure because the registry is: only if policy or the user
	// says so of its own name, and then it need not prove who it is, but is https still.
	insecure := m.host.Insecure() && wire.SameMachine(u.Host, m.host.Address())
	if u.Scheme != "https" && (u.Scheme != "http" || !x.plain || !insecure) {
		return nil, wire.Request{}, unauthorized("its challenge names a realm that is not https; credentials are not sent there")
	}
	host, err := m.realm(u.Host, insecure || x.unverified)
	if err != nil {
		return nil, wire.Request{}, err
	}
	req := wire.Request{
		Scheme: u.Scheme, Path: u.Path, RawPath: u.EscapedPath(), Accept: []string{"application/json"},
		Chosen: true, Elsewhere: !m.isOwn(x.realm), Secrets: Secrets(x.cred, Grant{}),
	}
	if req.Path == "" {
		req.Path = "/"
	}
	q := u.Query()
	if refresh := x.cred.IdentityToken(); refresh != "" {
		req.Query = q.Encode()
		req.Form = url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {refresh},
			"service": {x.service}, "scope": {x.scope}, "client_id": {clientID},
		}.Encode()
		return host, req, nil
	}
	if x.service != "" {
		q.Set("service", x.service)
	}
	q["scope"] = strings.Fields(x.scope)
	if user, password, ok := x.cred.Basic(); ok {
		q.Set("account", user)
		req.Authorization, req.PlainAuthorization = basicHeader(user, password), x.plain
	}
	req.Query = q.Encode()
	return host, req, nil
}

// permitted asks policy about a realm. One that is no URL is refused later.
func (m *Memory) permitted(realm string, rules *policy.Rules) error {
	u, err := url.Parse(realm)
	if err != nil || !wire.IsHost(u.Host) {
		return nil
	}
	if by, forbidden := rules.Forbids(u, m.host.Address()); forbidden {
		return Forbidden("a token realm at", u.Host, by)
	}
	return nil
}

// Forbidden returns the error for an address that policy blocks, to which a registry
// leads. That registry was asked, and the address was not: hence Elsewhere.
func Forbidden(what, host string, by policy.Scope) error {
	why := fmt.Sprintf("%v: %s %s, which %s blocks", provider.ErrForbidden, what, host, by.Name)
	if by.Origin != "" {
		why += " (" + by.Origin + ")"
	}
	return &provider.Error{Class: provider.ClassForbidden, Elsewhere: true, Err: reason(wire.CleanText(why))}
}

func parseToken(body []byte, began time.Time) (bearer, error) {
	// By exact keys, which encoding/json does not insist on in a struct: what has a
	// "Token" may be quite another service's secret.
	var doc map[string]json.RawMessage
	var value string
	if len(body) > maxTokenBody {
		return bearer{}, fmt.Errorf("a token of more than %d bytes", maxTokenBody)
	}
	err := json.Unmarshal(body, &doc)
	for _, key := range []string{"access_token", "token"} {
		var v string
		if raw, ok := doc[key]; ok && err == nil {
			err = json.Unmarshal(raw, &v)
		}
		value = cmp.Or(v, value)
	}
	if err != nil {
		return bearer{}, errors.New("the answer is not a JSON object with a token")
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bearer{}, errors.New("the answer holds no usable token")
	}
	life := defaultExpiry
	if expires := seconds(doc["expires_in"]); expires > 0 {
		life = time.Duration(min(expires, longestExpiry.Seconds()) * float64(time.Second))
	}
	// Counted from the request by our own clock, and a little short: the token
	// has yet to travel.
	return bearer{token: value, asked: began, until: began.Add(life - min(life/10, 10*time.Second))}, nil
}

// seconds reads a number, which some realms write as a string. It returns 0 for what is
// neither: the token is good all the same.
func seconds(raw json.RawMessage) float64 {
	n, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || math.IsNaN(n) {
		return 0
	}
	return n
}

func tokenError(host *wire.Host, err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		e = &provider.Error{Class: provider.ClassUnknown, Err: err}
	}
	c := *e
	c.Op = "fetching a token from " + host.Address()
	return &c
}
