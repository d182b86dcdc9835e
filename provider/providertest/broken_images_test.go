package providertest_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// twisted is an image some of whose methods are replaced.
type twisted struct {
	provider.Image
	digest func() string
	from   func() imageref.Ref
	config func(context.Context) ([]byte, error)
	files  func(context.Context, ...string) (fs.FS, error)
}

func (i twisted) Digest() string {
	if i.digest != nil {
		return i.digest()
	}
	return i.Image.Digest()
}

func (i twisted) PulledFrom() imageref.Ref {
	if i.from != nil {
		return i.from()
	}
	return i.Image.PulledFrom()
}

func (i twisted) Config(ctx context.Context) ([]byte, error) {
	if i.config != nil {
		return i.config(ctx)
	}
	return i.Image.Config(ctx)
}

func (i twisted) Files(ctx context.Context, patterns ...string) (fs.FS, error) {
	if i.files != nil {
		return i.files(ctx, patterns...)
	}
	return i.Image.Files(ctx, patterns...)
}

// twist returns a provider whose images are good but for what change replaces.
func twist(change func(*twisted)) func(provider.ImageProvider) provider.ImageFunc {
	return func(next provider.ImageProvider) provider.ImageFunc {
		return func(ctx context.Context, req provider.Request) (provider.Image, error) {
			img, err := next.Image(ctx, req)
			if err != nil {
				return nil, err
			}
			i := twisted{Image: img}
			change(&i)
			return i, nil
		}
	}
}

// A broken provider of images and the part of the suite that must notice.
var brokenImages = map[string]struct {
	part string
	wrap func(provider.ImageProvider) provider.ImageFunc
}{
	"names another digest": {"Reads", twist(func(i *twisted) {
		i.digest = func() string { return providertest.Digest }
	})},
	"forgets where it came from": {"Reads", twist(func(i *twisted) {
		i.from = func() imageref.Ref { return imageref.Ref{} }
	})},
	"shares its config": {"Reads", twist(func(i *twisted) {
		read := sync.OnceValues(func() ([]byte, error) { return i.Image.Config(context.Background()) })
		i.config = func(context.Context) ([]byte, error) { return read() }
	})},
	"shows layers upside down": {"Layers", twist(func(i *twisted) {
		i.files = changed(i.Image, func(name, data string) (string, string) {
			if data == "new" {
				data = "old"
			}
			return name, data
		})
	})},
	"shows what was deleted": {"Layers", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			files, err := copied(i.Image.Files(ctx, patterns...))
			if err == nil && len(files) > 0 {
				files["a/x"] = &fstest.MapFile{Data: []byte("x")}
			}
			return files, err
		}
	})},
	"takes any name for a pattern": {"Patterns", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			files, err := i.Image.Files(ctx, patterns...)
			if errors.Is(err, provider.ErrInvalidRequest) {
				return fstest.MapFS{}, nil
			}
			return files, err
		}
	})},
	"stops at the first pattern": {"Patterns", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			if err := provider.CheckPatterns(patterns...); err != nil {
				return nil, err
			}
			return i.Image.Files(ctx, patterns[:1]...)
		}
	})},
	"asks before it looks at patterns": {"Patterns", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			if _, err := i.Image.Config(ctx); err != nil {
				return nil, err
			}
			return i.Image.Files(ctx, patterns...)
		}
	})},
	"lets names lead out": {"Escapes", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			files, err := copied(i.Image.Files(ctx, patterns...))
			if err == nil {
				files["etc/passwd"] = &fstest.MapFile{Data: []byte("root:x:0:0")}
			}
			return files, err
		}
	})},
	"has one platform": {"Platform", func(next provider.ImageProvider) provider.ImageFunc {
		return func(ctx context.Context, req provider.Request) (provider.Image, error) {
			req.Platform = provider.Platform{OS: "linux", Architecture: "amd64"}
			return next.Image(ctx, req)
		}
	}},
	"calls mistakes an outage": {"Invalid", func(next provider.ImageProvider) provider.ImageFunc {
		return func(ctx context.Context, req provider.Request) (provider.Image, error) {
			img, err := next.Image(ctx, req)
			if errors.Is(err, provider.ErrInvalidRequest) {
				err = &provider.Error{Class: provider.ClassUnreachable, Err: errors.New(err.Error())}
			}
			return img, err
		}
	}},
	"hides what went wrong later": {"NotFound", twist(func(i *twisted) {
		i.config = func(ctx context.Context) ([]byte, error) {
			b, err := i.Image.Config(ctx)
			if err != nil {
				err = errors.New(err.Error())
			}
			return b, err
		}
	})},
	"remembers without credentials": {"Unauthorized", func(next provider.ImageProvider) provider.ImageFunc {
		var refused sync.Map
		return func(ctx context.Context, req provider.Request) (provider.Image, error) {
			if err, ok := refused.Load(req.Image); ok {
				return nil, err.(error)
			}
			img, err := next.Image(ctx, req)
			if err != nil {
				refused.Store(req.Image, err)
			}
			return img, err
		}
	}},
	"believes any config": {"Tampered", twist(func(i *twisted) {
		i.config = func(ctx context.Context) ([]byte, error) {
			b, err := i.Image.Config(ctx)
			if errors.Is(err, provider.ErrDigest) {
				return []byte("{}"), nil
			}
			return b, err
		}
	})},
	"believes any layer": {"Tampered", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			files, err := i.Image.Files(ctx, patterns...)
			if errors.Is(err, provider.ErrDigest) {
				return fstest.MapFS{"a/x": {Data: []byte("evil")}}, nil
			}
			return files, err
		}
	})},
	"reads on when nobody waits": {"Cancel", twist(func(i *twisted) {
		i.files = func(ctx context.Context, patterns ...string) (fs.FS, error) {
			return i.Image.Files(context.WithoutCancel(ctx), patterns...)
		}
	})},
	"mixes up concurrent reads": {"Concurrent", twist(func(i *twisted) {
		var (
			mu    sync.Mutex
			calls int
		)
		i.config = func(ctx context.Context) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls > 1 {
				return []byte("another's"), nil
			}
			return i.Image.Config(ctx)
		}
	})},
	"leaves a goroutine": {"Reads", twist(func(i *twisted) {
		i.config = func(ctx context.Context) ([]byte, error) {
			go func() { select {} }()
			return i.Image.Config(ctx)
		}
	})},
}

// copied returns a file system that can be changed.
func copied(from fs.FS, err error) (fstest.MapFS, error) {
	if err != nil {
		return nil, err
	}
	m := fstest.MapFS{}
	return m, fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, name)
		m[name] = &fstest.MapFile{Data: b}
		return err
	})
}

// changed returns Files with each file changed.
func changed(img provider.Image, change func(name, data string) (string, string)) func(context.Context, ...string) (fs.FS, error) {
	return func(ctx context.Context, patterns ...string) (fs.FS, error) {
		files, err := copied(img.Files(ctx, patterns...))
		out := fstest.MapFS{}
		for name, f := range files {
			n, data := change(name, string(f.Data))
			out[n] = &fstest.MapFile{Data: []byte(data)}
		}
		return out, err
	}
}

const brokenImagesVariable = "PROVIDERTEST_BROKEN_IMAGES"

// The suite for images is run on each broken provider in a process of its own, and
// must fail in the part that is about what is broken.
func TestImageSuiteNotices(t *testing.T) {
	for name, b := range brokenImages {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenImageProvider$/^"+b.part+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), brokenImagesVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed || !strings.Contains(string(out), "--- FAIL: TestBrokenImageProvider/"+b.part) {
				t.Errorf("the suite noticed nothing (%v):\n%s", err, out)
			}
		})
	}
}

// TestBrokenImageProvider is what TestImageSuiteNotices starts.
func TestBrokenImageProvider(t *testing.T) {
	b, ok := brokenImages[os.Getenv(brokenImagesVariable)]
	if !ok {
		return // not started by TestImageSuiteNotices
	}
	providertest.TestImageProvider(t, providertest.ImageHarness{New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
		return b.wrap(open(t, reg, func(c *registry.Config) { // ends by itself what its caller cannot end
			c.Timeouts.FirstByte, c.Timeouts.Silence = 200*time.Millisecond, 200*time.Millisecond
		}))
	}})
}
