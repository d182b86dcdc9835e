package kubelet

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// reader reads the objects that volumes are made of. What is not there is NotFound.
type reader struct {
	secret    func(namespace, name string) (*corev1.Secret, error)
	configMap func(namespace, name string) (*corev1.ConfigMap, error)
}

// content returns what a volume holds, by file name. It is nil for an empty folder that
// the process writes to.
func (r reader) content(namespace string, v corev1.Volume) (map[string][]byte, error) {
	switch {
	case v.EmptyDir != nil:
		return nil, nil
	case v.Secret != nil:
		s, err := r.secret(namespace, v.Secret.SecretName)
		if err != nil {
			return missing(err, v.Secret.Optional)
		}
		return pick(s.Data, v.Secret.Items)
	case v.ConfigMap != nil:
		cm, err := r.configMap(namespace, v.ConfigMap.Name)
		if err != nil {
			return missing(err, v.ConfigMap.Optional)
		}
		data := maps.Clone(cm.BinaryData)
		if data == nil {
			data = map[string][]byte{}
		}
		for name, text := range cm.Data {
			data[name] = []byte(text)
		}
		return pick(data, v.ConfigMap.Items)
	}
	return nil, fmt.Errorf("volume %s: its kind is not known here", v.Name)
}

func missing(err error, optional *bool) (map[string][]byte, error) {
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return map[string][]byte{}, nil
	}
	return nil, err
}

func pick(data map[string][]byte, items []corev1.KeyToPath) (map[string][]byte, error) {
	if len(items) == 0 {
		return data, nil
	}
	out := map[string][]byte{}
	for _, i := range items {
		value, ok := data[i.Key]
		if !ok {
			return nil, fmt.Errorf("there is no key %s", i.Key)
		}
		if path.Base(i.Path) != i.Path {
			return nil, fmt.Errorf("path %s: folders are not known here", i.Path)
		}
		out[i.Path] = value
	}
	return out, nil
}

// write puts content into the volume at dir as the kubelet's atomic writer does: the
// files are in a folder of their own, the link ..data to that folder is replaced in
// one step, and each file is a link through ..data. So a reader sees all of the old
// content or all of the new. n is different each time.
func write(dir string, content map[string][]byte, n int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil || content == nil {
		return err
	}
	old, err := os.Readlink(filepath.Join(dir, "..data"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now := fmt.Sprintf("..%d", n)
	if err := os.Mkdir(filepath.Join(dir, now), 0o755); err != nil {
		return err
	}
	for name, data := range content {
		if err := os.WriteFile(filepath.Join(dir, now, name), data, 0o600); err != nil {
			return err
		}
	}
	if err := os.Symlink(now, filepath.Join(dir, "..data_tmp")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if old == "" {
		return nil
	}
	before, err := os.ReadDir(filepath.Join(dir, old))
	if err != nil {
		return err
	}
	for _, e := range before {
		if _, ok := content[e.Name()]; !ok {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(filepath.Join(dir, old))
}
