package payload_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// coldPayload names the file with what TestColdPayload makes its payload of.
const coldPayload = "MIRRORCHAIN_TEST_COLD_PAYLOAD"

// cold is a payload to be made by a process that has made none.
type cold struct {
	Places places
	Inputs coldInputs
	Gate   string // file
}

// coldInputs hides the credentials for mirrors, of which there are none here: credentials are
// never written as JSON.
type coldInputs struct {
	payload.Inputs
	MirrorCredentials any
}

// Programs of 120 MB each: their files go to disk and not to memory, which stays within 64 MB
// of what it was, and each blob of the payload's images is read once.
func TestColdPayloadOfLargePrograms(t *testing.T) {
	real := machineconfig.NewReal(t)
	real.Least = 120 << 20
	w := newRealWorld(t, real, options{}, "{}")
	gate := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(gate, []byte(machineconfig.FeatureGate+"spec: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(cold{w.places, coldInputs{Inputs: w.in}, gate})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cold.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestColdPayload$", "-test.v")
	cmd.Env = append(os.Environ(), coldPayload+"="+file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, figures, found := strings.Cut(string(out), "figures: ")
	var size, peak int64
	if _, err := fmt.Sscanf(figures, "payload %d, memory %d", &size, &peak); err != nil || !found {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("a payload of %d bytes took %.1f MiB", size, float64(peak)/(1<<20))
	if size < 100_000 || peak > 64<<20 {
		t.Errorf("a payload of %d bytes took %.1f MiB; want 64 MiB at most", size, float64(peak)/(1<<20))
	}
	read := map[string]int{}
	for _, m := range w.mirrors {
		for _, q := range m.Requests(testregistry.Match{Kind: testregistry.Blob}) {
			if q.Status == 200 {
				read[q.Reference]++
			}
		}
	}
	layers := 0
	for blob, n := range read {
		if layers++; n != 1 {
			t.Errorf("blob %s was read %d times", blob, n)
		}
	}
	if layers < 5 { // of the release, the renderer, and programs in several layers
		t.Errorf("only %d blobs were read", layers)
	}
	w.clean()
}

// TestColdPayload makes a payload as the first thing that its process does, and says how much
// memory that took at most. [TestColdPayloadOfLargePrograms] runs it.
func TestColdPayload(t *testing.T) {
	file := os.Getenv(coldPayload)
	if file == "" {
		t.Skip("it is run by TestColdPayloadOfLargePrograms")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c cold
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, places: c.Places, workDir: t.TempDir(), in: c.Inputs.Inputs}
	w.makeRules(false)
	w.makePipeline(options{cfg: func(cfg *payload.Config) { cfg.FeatureGate = c.Gate }})

	runtime.GC()
	debug.FreeOSMemory()
	idle := memory()
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := idle
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, memory())
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	r, err := w.pipeline.Generate(t.Context(), w.in)
	close(stop)
	most := <-peak
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("figures: payload %d, memory %d\n", len(r.Ignition), most-idle)
}

// memory returns how much the process holds of what the system gave it.
func memory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
