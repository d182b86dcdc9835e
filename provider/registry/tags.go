package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// What of a list of tags is read. The largest repositories have some ten thousand.
const (
	maxTags  = 200_000
	maxPages = 1_000
	pageSize = "1000" // what is asked for; a registry may send less
)

// Tags lists the tags of the repository that req.Image names, in the order in which the
// registry lists them (distribution-spec, "Listing Tags"). Its tag and digest do not matter.
// A list of more than 200,000 tags is an error of class [provider.ClassLimit].
func (p *Provider) Tags(ctx context.Context, req provider.Request) ([]string, error) {
	if err := p.check(&req); err != nil {
		return nil, err
	}
	s := p.sourceOf(req)
	var all []string
	query := url.Values{"n": {pageSize}}
	for range maxPages {
		tags, next, err := p.tagsPage(ctx, s, query)
		if err != nil {
			return nil, located(s.ref, "listing tags", err)
		}
		if all = append(all, tags...); len(all) > maxTags {
			break
		}
		if next == nil {
			return all, nil
		}
		if slices.Equal(next["last"], query["last"]) {
			return nil, located(s.ref, "listing tags", fail(provider.ClassMalformed, errors.New("the next page is this page")))
		}
		query = next
	}
	return nil, located(s.ref, "listing tags", fail(provider.ClassLimit, fmt.Errorf("more than %d tags, or %d pages of them", maxTags, maxPages)))
}

// tagsPage reads one page, and returns the query of the next one, nil for none.
func (p *Provider) tagsPage(ctx context.Context, s source, query url.Values) (tags []string, next url.Values, err error) {
	resp, err := p.send(ctx, s, wire.Request{Path: s.path("tags/list"), Query: query.Encode(), Accept: []string{"application/json"}})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Close()
	limit := p.cfg.Limits.Manifest
	body, err := io.ReadAll(io.LimitReader(resp, limit+1))
	switch {
	case err != nil:
		return nil, nil, cutOff(err, "%d bytes", len(body))
	case int64(len(body)) > limit:
		return nil, nil, fail(provider.ClassLimit, fmt.Errorf("a page of more than %d bytes", limit))
	}
	var page struct {
		Tags []string `json:"tags"`
	}
	if err := jsonlimit.Values(body, maxValues); err != nil {
		return nil, nil, fail(provider.ClassMalformed, err)
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, nil, fail(provider.ClassMalformed, fmt.Errorf("not a list of tags: %w", err))
	}
	return page.Tags, nextPage(resp.Header["Link"]), nil
}

// nextPage returns the query of the link to the next page (RFC 8288), nil for none. Where
// the link leads does not matter: only its query is used.
func nextPage(links []string) url.Values {
	for _, link := range links {
		target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
		if !ok || !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
			continue
		}
		u, err := url.Parse(target)
		if err != nil {
			return nil
		}
		return url.Values{"n": u.Query()["n"], "last": u.Query()["last"]}
	}
	return nil
}
