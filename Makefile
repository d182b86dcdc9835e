# Two commands are all a fresh machine needs, and Go is all they assume:
#   make demo    runs the main job on registries of its own
#   make test    runs every test

GO       ?= go
BIN      := bin
# runtime-utils and containers/image build without C libraries under these tags.
PEERTAGS := containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper
# The race detector needs a C compiler on Linux; without one the tests run all the same, and say so.
RACE     := $(if $(shell command -v "$$($(GO) env CC)" 2>/dev/null),-race,)
FUZZTIME ?= 15s
PEERSETS ?= 5000
SOAK     ?= 10m
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the command and the operators into bin/
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN)/ ./cmd/...

.PHONY: dist
dist: ## build what a release consists of into dist/: archives for all platforms, sums, SBOMs
	rm -rf dist
	$(GO) run ./internal/dist -go "$(GO)" -version "$(VERSION)" $(DISTFLAGS)

# The image control-plane stands on a base for both platforms, in an OCI layout. This makes one:
#   skopeo copy --all docker://registry.access.redhat.com/ubi9/ubi-minimal:TAG oci:.cache/ubi
.PHONY: images
images: ## build the container images into dist/images, without a container engine; BASE=oci:FOLDER is what they stand on
	rm -rf dist/images
	$(GO) run ./internal/dist -images -go "$(GO)" -version "$(VERSION)" $(if $(BASE),-base "$(BASE)") -out dist/images $(DISTFLAGS)

# Both builds are of the last commit. The second one is in another folder, and finds nothing in its cache.
.PHONY: dist-check
dist-check: ## build the archives of all platforms twice, and compare the bytes (DISTFLAGS="-platforms linux/amd64": of one)
	@work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT && \
	dist="$(GO) run ./internal/dist -go $(GO) -version $(VERSION) $(DISTFLAGS)" && \
	git clone -q . "$$work/a" && git clone -q . "$$work/elsewhere/b" && \
	(cd "$$work/a" && $$dist -out "$$work/one") && (cd "$$work/elsewhere/b" && GOCACHE="$$work/cache" $$dist -out "$$work/two") && \
	diff -r "$$work/one" "$$work/two" && echo "the same bytes, twice"

.PHONY: demo
demo: ## find a release through mirrors, one of which fails, on registries of its own
	@$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN)/ ./cmd/mirrorchain
	@$(BIN)/mirrorchain demo

# Real servers for the tests: an API server with etcd, a registry, the programs that make the configuration of
# nodes. From cold they take minutes to build, once.
export MIRRORCHAIN_TEST_SERVERS ?= $(CURDIR)/.cache/servers

.PHONY: servers
servers: ## build the servers that tests run against, unless that has been done
	@$(GO) run ./internal/test/servers/build

# All packages, and those whose tests start these servers, found by what they import.
PACKAGES    = $(or $(shell $(GO) list ./...),$(error there are no packages))
WITHSERVERS = $(or $(shell $(GO) list -test -f '{{.ImportPath}} {{.Deps}}' ./... | sed -n 's|\.test .*/internal/test/servers.*||p'),$(error no package starts servers))

# A program with the race detector sleeps for a second before it exits, unless told otherwise.
export GORACE ?= atexit_sleep_ms=50

# The cheapest tests come first, so that most failures show early. "make lint" vets. On a busy
# machine packages that start servers have taken more than Go's limit of ten minutes.
.PHONY: test
test: ## run all tests, with the race detector where there is a C compiler
	@$(if $(RACE),,echo "no C compiler: testing without the race detector" >&2)
	$(GO) test -vet=off $(RACE) $(filter-out $(WITHSERVERS),$(PACKAGES))
	$(if $(RACE),$(GO) test -vet=off -run TestTenMillionEntries ./provider/registry) # left out with the race detector
	cd chain/tracing && $(GO) test -vet=off $(RACE) ./...
	cd test/peers && CGO_ENABLED=0 $(GO) test -vet=off -tags $(PEERTAGS) ./...
	cd test/monitoring && CGO_ENABLED=0 $(GO) test -vet=off -count=1 ./... # it reads files outside its module, which no cache of results knows of
	cd test/dist && $(GO) test -vet=off -count=1 ./... # likewise
	@$(MAKE) --no-print-directory servers
	cd test/chart && CGO_ENABLED=0 $(GO) test -vet=off -count=1 ./... # likewise
	$(GO) test -vet=off $(RACE) -timeout 20m $(WITHSERVERS)

.PHONY: peers
peers: ## ask the nodes' own code about PEERSETS random policy sets, and as many worlds of signatures (default 5000)
	cd test/peers && CGO_ENABLED=0 $(GO) test -tags $(PEERTAGS) -count=1 -v -run 'TestPeers|TestSigstore|TestNodeFiles|TestPull' ./... -sets $(PEERSETS) -worlds $(PEERSETS)

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZTIME each (default 15s)
	GO="$(GO)" FUZZTIME=$(FUZZTIME) test/fuzz.sh

.PHONY: soak
soak: ## look up releases for SOAK at full speed while faults come and go (default 10m)
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -v -run TestSoak ./test/soak

.PHONY: bench
bench: servers ## our figures against the peers', into docs/benchmarks.md (BENCHFLAGS=-quick: only see that all run)
	$(GO) run ./test/bench -go "$(GO)" $(BENCHFLAGS)

.PHONY: fleet
fleet: servers ## benchmark fleets of up to 5,000 HostedClusters, into docs/benchmarks.md; for a quiet machine
	$(GO) run ./test/bench -go "$(GO)" -only BenchmarkFleet -large-fleets

.PHONY: lint
lint: $(BIN)/staticcheck ## gofmt, vet, staticcheck, tidy modules
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(BIN)/staticcheck ./...
	$(GO) mod tidy -diff
	cd chain/tracing && $(GO) mod tidy -diff && $(GO) vet ./...
	cd test/chart && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GO) vet ./...
	cd test/controlplane && $(GO) mod tidy -diff
	cd test/dist && $(GO) mod tidy -diff && $(GO) vet ./...
	cd test/distribution && $(GO) mod tidy -diff
	cd test/machineconfig && $(GO) mod tidy -diff
	cd test/monitoring && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GO) vet ./...
	cd test/render && $(GO) mod tidy -diff
	cd test/peers && $(GO) mod tidy -diff && CGO_ENABLED=0 $(GO) vet -tags $(PEERTAGS) ./...

.PHONY: vulncheck
vulncheck: $(BIN)/govulncheck ## known vulnerabilities in what is called; asks https://vuln.go.dev (VULNFLAGS=-db=URL for a copy)
	@$(BIN)/govulncheck $(VULNFLAGS) ./... || { code=$$?; test $$code -eq 3 || echo "vulncheck: nothing was checked, see above: it needs https://vuln.go.dev, \
or a copy of that database: make vulncheck VULNFLAGS=-db=URL" >&2; exit $$code; }

$(BIN)/staticcheck: test/lint/go.mod test/lint/go.sum
	cd test/lint && $(GO) build -o ../../$(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck

$(BIN)/govulncheck: test/lint/go.mod test/lint/go.sum
	cd test/lint && $(GO) build -o ../../$(BIN)/govulncheck golang.org/x/vuln/cmd/govulncheck

.PHONY: clean
clean: ## remove what make built, except the servers in .cache
	rm -rf $(BIN) dist
