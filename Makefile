# What a developer runs. Every target works on a fresh machine with Go, git and make;
# the peers that tests compare with are optional there and installed by .ci/run.

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || true)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null || true)
DATE    := $(shell git log -1 --format=%ct 2>/dev/null || true)
LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint

# The race detector needs a C compiler. CI always has one, so there it is never left out.
HAVE_CC := $(shell command -v gcc || command -v clang)
ifneq ($(CI)$(HAVE_CC),)
RACE := -race
endif
TEST := CGO_ENABLED=$(if $(RACE),1,0) $(GO) test $(RACE) -timeout 30m

FUZZTIME ?= 30s

# What release makes: "linux/amd64 darwin/arm64"; nothing is everything.
PLATFORMS ?=

.PHONY: all build release test lint fmt demo bench soak fuzz tools clean

all: build

CLI := github.com/airbridge-dev/airbridge/internal/cli
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X $(CLI).Version=$(VERSION) -X $(CLI).Commit=$(COMMIT) -X $(CLI).Date=$(DATE)' -o bin/airbridge ./cmd/airbridge

# release packs what is committed, and only that, into dist/ (docs/release.md).
release:
	@git diff --quiet HEAD || echo "release: changes that are not committed are left out"
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	git archive -o "$$work.tar" $(COMMIT); tar -xf "$$work.tar" -C "$$work"; rm -f "$$work.tar"; rm -rf dist; cd "$$work"; \
	$(GO) run -trimpath ./pack -go "$(GO)" -out "$(CURDIR)/dist" -version "$$(git -C "$(CURDIR)" describe --tags --always $(COMMIT))" \
	  -commit "$(COMMIT)" -date "$(DATE)" $(PLATFORMS)

test:
	$(GO) vet ./...
	$(TEST) ./...

lint:
	$(LINT) run ./...

# fmt applies the formatters that lint checks.
fmt:
	$(LINT) fmt ./...

demo: build
	$(GO) run ./demo

# bench measures against other tools; BENCH_FLAGS="-only S1,S4 -n 7" chooses.
bench: build
	$(GO) run ./bench $(BENCH_FLAGS)

# soak kills mirrors and pushes again and again; SOAK_FLAGS are handed to go test.
soak: build
	$(GO) test -count=1 -timeout 2h -tags soak -run '^TestSoak' -v $(SOAK_FLAGS) ./cmd/airbridge/...

# fuzz runs each fuzz target for FUZZTIME: go test takes one package and one target at a time.
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

# tools builds the pinned tools once, so that later steps do not pay for it.
tools:
	@for tool in golangci-lint crane regsync conformance; do $(GO) tool -modfile=tools/go.mod -n $$tool; done

clean:
	rm -rf bin dist
