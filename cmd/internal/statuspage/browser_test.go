package statuspage

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser speaks the DevTools protocol to a chromium, over pipes.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	id      int
	events  []message
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func start(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, path, "--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(dir, "profile"))
	cmd.Env = append(os.Environ(), "HOME="+dir)
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4
	cmd.Stderr = io.Discard              // a pipe: Wait then waits for every process of the browser, which write to its profile to the end
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		cancel() // which ends the browser
		_ = cmd.Wait()
		_, _ = to.Close(), from.Close()
	})
	return b
}

// call calls a method and waits for its result. Events that come meanwhile are kept.
func (b *browser) call(method string, params any, result any) {
	b.t.Helper()
	b.id++
	m := map[string]any{"id": b.id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.next()
		if m.ID != b.id {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

func (b *browser) next() message {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	var m message
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method != "" {
		b.events = append(b.events, m)
	}
	return m
}

// open opens a page and returns when it has loaded.
func (b *browser) open(page string) {
	b.t.Helper()
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": page}, nil)
	for {
		for _, e := range b.events {
			if e.Method == "Page.loadEventFired" {
				return
			}
		}
		b.next()
	}
}

func (b *browser) eval(expression string) string {
	b.t.Helper()
	var out struct {
		Result struct{ Value any }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression}, &out)
	return fmt.Sprint(out.Result.Value)
}

// A real browser shows the page on a phone and on a desk, light and dark: nothing is wider than the
// window, nothing is asked for beside the page, nothing of it runs, and no policy is violated. The
// screenshots are kept where MIRRORCHAIN_TEST_SCREENSHOTS says.
func TestBrowser(t *testing.T) {
	b := start(t)
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	shots := os.Getenv("MIRRORCHAIN_TEST_SCREENSHOTS")
	for name, say := range map[string]string{"plain": "", "hostile": hostile} {
		h, err := Handler(site(t, say))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		page := server.URL + Path + "?ref=" + url.QueryEscape("quay.io/openshift-release-dev/ocp-release@sha256:"+strings.Repeat("1", 64))
		for _, c := range []struct {
			width  int
			scheme string
		}{{390, "light"}, {1280, "light"}, {390, "dark"}, {1280, "dark"}} {
			b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": c.width, "height": 900, "deviceScaleFactor": 1, "mobile": c.width < 500}, nil)
			b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": c.scheme}}}, nil)
			b.open(page)
			where := fmt.Sprintf("%s at %d, %s", name, c.width, c.scheme)
			if got := b.eval("document.documentElement.scrollWidth"); got != fmt.Sprint(c.width) {
				t.Errorf("%s: it is %s wide", where, got)
			}
			if got := b.eval("document.title"); got != "Mirror rules in force – hypershift-operator" {
				t.Errorf("%s: the title is %q", where, got)
			}
			if got := b.eval("getComputedStyle(document.querySelector('h1')).borderLeftStyle"); got != "solid" {
				t.Errorf("%s: the style is not in force: %s", where, got)
			}
			for _, e := range b.events {
				text := string(e.Params)
				favicon := strings.Contains(text, "/favicon.ico") // the browser's own
				switch e.Method {
				case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
					if !favicon {
						t.Errorf("%s: the console says %s", where, text)
					}
				case "Network.requestWillBeSent":
					var p struct{ Request struct{ URL string } }
					if err := json.Unmarshal(e.Params, &p); err != nil || p.Request.URL != page && !favicon {
						t.Errorf("%s: a request for %s", where, p.Request.URL)
					}
				}
			}
			if shots != "" {
				var shot struct{ Data string }
				b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": map[string]any{
					"x": 0, "y": 0, "width": c.width, "height": json.Number(b.eval("document.documentElement.scrollHeight")), "scale": 1,
				}}, &shot)
				png, err := base64.StdEncoding.DecodeString(shot.Data)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(shots, fmt.Sprintf("status-%s-%d-%s.png", name, c.width, c.scheme)), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// The form works without a script, and by its label.
	if got := b.eval("document.querySelector('label').control.name + ' ' + document.forms[0].method + ' ' + document.scripts.length"); got != "ref get 0" {
		t.Errorf("the form is %q", got)
	}
}
