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

	// tagsShare is how many times more a page may have than its tags: Google's registries add
	// a few hundred bytes about each manifest.
	tagsShare = 8
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
		if next.Encode() == query.Encode() {
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
	body, err := io.ReadAll(io.LimitReader(resp, tagsShare*limit+1))
	switch {
	case err != nil:
		return nil, nil, cutOff(err, "%d bytes", len(body))
	case int64(len(body)) > tagsShare*limit:
		return nil, nil, fail(provider.ClassLimit, fmt.Errorf("a page of more than %d bytes", tagsShare*limit))
	}
	tags, err = decodeTags(body, limit)
	if plain, ok := resp.Unzip(body, tagsShare*limit); err != nil && ok {
		body = plain
		tags, err = decodeTags(body, limit)
	}
	if err != nil {
		if page := resp.Page(body); page != nil {
			err = page
		}
		return nil, nil, err
	}
	return tags, nextPage(resp.Header["Link"]), nil
}

// decodeTags reads the tags of a page, at most limit bytes of them. Some registries add
// what they know of each manifest, which is skipped.
func decodeTags(body []byte, limit int64) ([]string, error) {
	var page struct {
		Tags json.RawMessage `json:"tags"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fail(provider.ClassMalformed, fmt.Errorf("not a list of tags: %w", wire.Clean(err)))
	}
	if int64(len(page.Tags)) > limit {
		return nil, fail(provider.ClassLimit, fmt.Errorf("a page with more than %d bytes of tags", limit))
	}
	if err := jsonlimit.Values(page.Tags, maxValues); err != nil {
		return nil, fail(provider.ClassLimit, fmt.Errorf("a page of %w", err))
	}
	var tags []string
	if len(page.Tags) > 0 {
		if err := json.Unmarshal(page.Tags, &tags); err != nil {
			return nil, fail(provider.ClassMalformed, fmt.Errorf("not a list of tags: %w", wire.Clean(err)))
		}
	}
	return tags, nil
}

// nextPage returns the query of the link to the next page (RFC 8288), nil for none. On which
// host the list is does not matter: this registry is asked. If the link leads to something
// else than a list of tags, only the parameters of the specification are used.
func nextPage(lines []string) url.Values {
	for _, line := range lines {
		for line != "" {
			var link string
			link, line = cutLink(line)
			target, params, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
			if !ok || !isNext(params) {
				continue
			}
			u, err := url.Parse(target)
			if err != nil {
				return nil
			}
			query := u.Query()
			if u.Path == "" || strings.HasSuffix(u.Path, "tags/list") {
				return query // some registries have a parameter of their own
			}
			return url.Values{"n": query["n"], "last": query["last"]}
		}
	}
	return nil
}

// cutLink returns the first of a list of links, and the others.
func cutLink(s string) (link, others string) {
	var end byte // of what a comma may be in
	for i := range len(s) {
		switch c := s[i]; {
		case end != 0:
			if c == end {
				end = 0
			}
		case c == '<':
			end = '>'
		case c == '"':
			end = '"'
		case c == ',':
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isNext reports whether the parameters of a link have the relation "next".
func isNext(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			return slices.ContainsFunc(strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)), func(rel string) bool {
				return strings.EqualFold(rel, "next")
			})
		}
	}
	return false
}
