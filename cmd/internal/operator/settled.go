package operator

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// settledFor is how long what a webhook made of an object counts as right. After that it is
// applied again, once, for the webhook may be gone.
const settledFor = 10 * time.Minute

// Settled remembers what was applied, and what became of it where that is something else: a
// webhook has the last word. To apply the same again would make the same of it, and a new
// version each time if the webhook also writes something that varies, such as the time. It is
// safe for concurrent use. Nil remembers nothing.
type Settled struct{ objects *cache.Expiring }

// NewSettled returns one that remembers nothing yet.
func NewSettled() *Settled { return &Settled{cache.NewExpiring()} }

// settled is what was applied last of an object.
type settled struct {
	want       string            // of what was applied, its [StateHash]
	have       [sha256.Size]byte // what these fields are; see seen
	seen       bool              // the object was read since, as the API server then left it
	version    string
	generation int64
	metadata   [sha256.Size]byte // of what was applied, as it came of that: it has no generation
}

// applied remembers that want was applied, and the metadata that came of it.
func (s *Settled) applied(want, answer *unstructured.Unstructured) {
	if s == nil {
		return
	}
	if metadata, err := metadataHash(answer, want); err == nil {
		s.objects.Set(idOf(want), settled{want: stateHash(want), version: answer.GetResourceVersion(), generation: answer.GetGeneration(), metadata: metadata}, settledFor)
	}
}

// made remembers that an object was as want: nothing changes what is applied, and who changes
// the object later is no webhook.
func (s *Settled) made(want *unstructured.Unstructured) {
	if s != nil {
		s.objects.Delete(idOf(want))
	}
}

// has reports whether want was applied, and not found to be there since.
func (s *Settled) has(want *unstructured.Unstructured) bool {
	_, ok := s.of(want)
	return ok
}

func (s *Settled) of(want *unstructured.Unstructured) (was settled, ok bool) {
	if s == nil {
		return settled{}, false
	}
	last, _ := s.objects.Get(idOf(want))
	was, ok = last.(settled)
	return was, ok && was.want == stateHash(want)
}

// is reports whether an object that is as have, and not as want, is what came of applying
// want. It is where nobody has written it since, but for its status, or only other fields.
func (s *Settled) is(have, want *unstructured.Unstructured) (bool, error) {
	was, ok := s.of(want)
	if !ok {
		return false, nil
	}
	has, err := hash(within(have.Object, want.Object, false))
	if err != nil || was.seen {
		return err == nil && has == was.have, err
	}
	if have.GetResourceVersion() != was.version {
		if was.generation == 0 || have.GetGeneration() != was.generation {
			return false, nil
		}
		if metadata, err := metadataHash(have, want); err != nil || metadata != was.metadata {
			return false, err
		}
	}
	was.have, was.seen = has, true
	s.objects.Set(idOf(want), was, settledFor)
	return true, nil
}

// metadataHash returns a hash of the metadata of have that want names.
func metadataHash(have, want *unstructured.Unstructured) ([sha256.Size]byte, error) {
	fields := func(u *unstructured.Unstructured) map[string]any {
		out := map[string]any{"finalizers": u.GetFinalizers(), "ownerReferences": u.GetOwnerReferences()}
		for name, of := range map[string]map[string]string{"labels": u.GetLabels(), "annotations": u.GetAnnotations()} {
			values := map[string]any{}
			for key, value := range of {
				values[key] = value
			}
			out[name] = values
		}
		return out
	}
	return hash(within(fields(have), fields(want), false))
}

func hash(v any) (sum [sha256.Size]byte, err error) {
	data, err := json.Marshal(v)
	return sha256.Sum256(data), err
}

func idOf(u *unstructured.Unstructured) objectID {
	return objectID{u.GroupVersionKind(), client.ObjectKeyFromObject(u)}
}

// within returns what have says of all that want says: what [contains] compares.
func within(have, want any, inPod bool) any {
	switch want := want.(type) {
	case map[string]any:
		from, ok := have.(map[string]any)
		if !ok {
			return have
		}
		out := make(map[string]any, len(want))
		for name, v := range want {
			if key := keyed[name]; inPod && key != "" {
				out[name] = withinItems(from[name], v, key)
			} else {
				out[name] = within(from[name], v, inPod || name == "template")
			}
		}
		return out
	case []any:
		from, ok := have.([]any)
		if !ok || len(from) != len(want) {
			return have
		}
		out := make([]any, len(want))
		for i, v := range want {
			out[i] = within(from[i], v, inPod)
		}
		return out
	}
	return have
}

func withinItems(have, want any, key string) any {
	from, _ := have.([]any)
	wants, _ := want.([]any)
	var out []any
	for _, w := range wants {
		for _, i := range sameItems(from, w, key) {
			out = append(out, within(from[i], w, true))
		}
	}
	return out
}
