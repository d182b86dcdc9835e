package tokens

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Payload is served under a token. It is immutable: nobody changes Body or Missing.
type Payload struct {
	// Secret is the name of the token secret, and NodePool the node pool that it is
	// for, "namespace/name".
	Secret, NodePool string
	// UID identifies the token secret, since another one may be created under its name. ""
	// is not known, and fits any.
	UID string
	// CloudConfigHash is that of the cloud config that the payload was made with.
	CloudConfigHash string
	// Recipe says what else the secret asked for when the payload was made, in a form that
	// the caller chooses; "" is not known.
	Recipe string
	// Missing are the component images that were asked for and are not in the release.
	Missing []string
	// Body is the Ignition config.
	Body []byte
	// Valid reports whether Body is one: see [IsIgnition]. The store sets it, once for each
	// payload that it takes or reads.
	Valid bool
}

// IsIgnition reports whether body is a JSON object with a version of Ignition's.
func IsIgnition(body []byte) bool {
	var config struct {
		Ignition struct {
			Version string `json:"version"`
		} `json:"ignition"`
	}
	return json.Unmarshal(body, &config) == nil && config.Ignition.Version != ""
}

// StoreConfig configures [OpenStore].
type StoreConfig struct {
	// Dir is where payloads outlive the process; "" keeps them in memory alone. It is
	// created if it does not exist. It belongs to one store at a time.
	Dir string
	// Log reports files that cannot be used; nil is silent. No entry has a token or a
	// payload.
	Log *zap.Logger
}

// Store keeps payloads by token, each for [TTL]. All methods may be called from many
// goroutines at once, and lookups never wait for the disk.
//
// It holds tokens only as SHA-256 sums, in memory and on disk. So the time of a lookup
// reveals nothing about tokens that resemble the one asked for, and the directory reveals
// no token.
type Store struct {
	dir *dir
	log *zap.Logger

	mu      sync.RWMutex // never held while a file is written
	entries map[tokenSum]entry
}

type tokenSum [sha256.Size]byte

type entry struct {
	Payload
	expires time.Time
}

var errNoToken = errors.New("storing a payload: the token is empty")

// OpenStore opens the store, with the payloads that an earlier one left in cfg.Dir and
// that have not expired. It removes damaged files.
func OpenStore(cfg StoreConfig) (*Store, error) {
	s := &Store{log: cfg.Log, entries: make(map[tokenSum]entry)}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if cfg.Dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("payload store: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("payload store: %w", err)
	}
	s.dir = &dir{root: root, slot: make(chan struct{}, 1)}
	if err := s.load(time.Now()); err != nil {
		root.Close()
		return nil, fmt.Errorf("payload store: %w", err)
	}
	return s, nil
}

// Close closes the directory. The store goes on in memory.
func (s *Store) Close() error {
	if s.dir == nil {
		return nil
	}
	return s.dir.close()
}

func (s *Store) load(now time.Time) error {
	read, err := s.dir.load(func(name string, err error) {
		s.log.Warn("a stored payload cannot be used and is removed", zap.String("file", name), zap.Error(err))
	})
	if err != nil {
		return err
	}
	for sum, e := range read {
		// A clock that was ahead when it was written makes nothing live longer.
		if latest := now.Add(TTL); e.expires.After(latest) {
			e.expires = latest
		}
		if !now.Before(e.expires) {
			s.dir.remove(sum)
			continue
		}
		s.entries[sum] = e
	}
	return nil
}

// Lookup returns the payload that is served under token.
func (s *Store) Lookup(token string) (Payload, bool) {
	sum := sha256.Sum256([]byte(token))
	s.mu.RLock()
	e, ok := s.entries[sum]
	s.mu.RUnlock()
	if !ok || !time.Now().Before(e.expires) {
		return Payload{}, false
	}
	return e.Payload, true
}

// Cached reports for [Decide] whether there is a payload for token, and with which cloud
// config it was made.
func (s *Store) Cached(token string) (cloudConfigHash string, ok bool) {
	p, ok := s.Lookup(token)
	return p.CloudConfigHash, ok
}

// Set serves p under each of tokens, for [TTL] from now. It leaves out empty tokens, and
// fails if there are no others. The payload is served at once; any other error is one of
// the directory, and means that the payload does not survive a restart.
func (s *Store) Set(ctx context.Context, p Payload, tokens ...string) error {
	tokens = slices.DeleteFunc(slices.Clone(tokens), func(t string) bool { return t == "" })
	if len(tokens) == 0 {
		return errNoToken
	}
	p.Valid = IsIgnition(p.Body)
	expires := time.Now().Add(TTL)
	sums := make([]tokenSum, len(tokens))
	s.mu.Lock()
	for i, t := range tokens {
		sums[i] = sha256.Sum256([]byte(t))
		s.entries[sums[i]] = entry{p, expires}
	}
	s.mu.Unlock()
	return s.sync(ctx, sums)
}

// Alias serves the payload of old under token too, for [TTL] from now, and reports whether
// there is one. Its errors are those of Set.
func (s *Store) Alias(ctx context.Context, token, old string) (bool, error) {
	p, ok := s.Lookup(old)
	if !ok {
		return false, nil
	}
	return true, s.Set(ctx, p, token)
}

// Forget drops every token of the secret of that name.
func (s *Store) Forget(ctx context.Context, secret string) error {
	return s.drop(ctx, func(e entry) bool { return e.Secret == secret })
}

// ForgetOthers drops every token of secrets of that name that had another UID: they were
// deleted before this one was created.
func (s *Store) ForgetOthers(ctx context.Context, secret, uid string) error {
	return s.drop(ctx, func(e entry) bool { return e.Secret == secret && e.UID != "" && e.UID != uid })
}

// Retain drops every token of secrets that are not in there, which has UIDs by name. They
// were deleted while no process ran.
func (s *Store) Retain(ctx context.Context, there map[string]string) error {
	return s.drop(ctx, func(e entry) bool {
		uid, ok := there[e.Secret]
		return !ok || e.UID != "" && e.UID != uid
	})
}

func (s *Store) drop(ctx context.Context, doomed func(entry) bool) error {
	var sums []tokenSum
	s.mu.Lock()
	for sum, e := range s.entries {
		if doomed(e) {
			delete(s.entries, sum)
			sums = append(sums, sum)
		}
	}
	s.mu.Unlock()
	return s.sync(ctx, sums)
}

// sync makes the files of sums agree with memory.
func (s *Store) sync(ctx context.Context, sums []tokenSum) error {
	if s.dir == nil || len(sums) == 0 {
		return nil
	}
	return s.dir.sync(ctx, sums, func(sum tokenSum) (entry, bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		e, ok := s.entries[sum]
		return e, ok
	})
}

// Len returns the number of tokens that have a payload.
func (s *Store) Len() int {
	now, n := time.Now(), 0
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.entries {
		if now.Before(e.expires) {
			n++
		}
	}
	return n
}

// Start drops expired payloads from memory and disk until ctx ends, and returns nil then.
// Without it they are not served either, but take up room.
func (s *Store) Start(ctx context.Context) error {
	every := time.NewTicker(TTL / 22) // half an hour
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-every.C:
			if err := s.drop(ctx, func(e entry) bool { return !now.Before(e.expires) }); err != nil && ctx.Err() == nil {
				s.log.Warn("removing old payloads failed", zap.Error(err))
			}
		}
	}
}
