# Everything one does with Nightshift. `make` alone lists it.
# All of it runs under the Node of .nightshift/toolchain, whatever Node is installed.

export PATH := $(CURDIR)/.nightshift/toolchain/node_modules/.bin:$(PATH)
VITEST := node node_modules/vitest/vitest.mjs run --config test/vitest.config.ts
IMAGE := node:24-bookworm

.DEFAULT_GOAL := help
.PHONY: help setup demo run up down check format unit chart live test test-long durations test-here test-in-docker docs dashboards kind kind-down \
  bench bench-growth images clean

help:
	@awk '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{split($$0, part, /:.*## /); \
	  printf "  make %-13s %s\n", part[1], part[2]}' $(MAKEFILE_LIST)

##@ First steps

setup: ## bring the pinned Node and the packages; servers are brought when first needed
	@scripts/bootstrap.sh

demo: setup ## run the main job on real servers and check its sums; KEEP=1 leaves it running
	@node scripts/demo/main.ts

run: setup ## run all of Nightshift, with servers, until Ctrl-C
	@node scripts/run.ts

##@ Every day

up: setup ## start PostgreSQL and RabbitMQ, leave them running, print their URLs
	@node scripts/servers/main.ts up

down: setup ## end what `make up` started
	@node scripts/servers/main.ts down

check: setup ## check types, style, rings of imports, long functions, unused exports
	@node node_modules/typescript/bin/tsc --noEmit
	@node node_modules/@biomejs/biome/bin/biome check .
	@node node_modules/knip/bin/knip.js

format: setup ## rewrite files in the one format
	@node node_modules/@biomejs/biome/bin/biome check --write .

unit: setup ## run the tests that need no server and no network
	@$(VITEST) --project unit $(ARGS)

chart: setup ## run the tests of the chart: brings helm and kubectl
	@$(VITEST) --project chart $(ARGS)

live: setup ## run the tests on a real PostgreSQL and RabbitMQ; ARGS=test/path/... runs some
	@$(VITEST) --project live $(ARGS)

test: setup ## check, then run all tests; in a container if only Docker has servers
	@case "$$(node scripts/servers/main.ts where)" in \
	  machine) $(MAKE) --no-print-directory test-here ;; \
	  docker) $(MAKE) --no-print-directory test-in-docker ;; \
	  *) exit 1 ;; \
	esac

##@ Now and then

test-long: setup ## run what takes too long for every day, and write test/long/RESULTS.md
	@RECORD=results $(VITEST) --project long $(ARGS)

durations: setup ## note how long each live test takes, by which they are shared out
	@RECORD=durations $(VITEST) --project live

docs: setup ## write the generated parts of the documentation
	@node scripts/docs.ts

dashboards: setup ## write the dashboards of Grafana as JSON, from grafana/
	@node grafana/main.ts

kind: ## build the images and run all of it in a kind cluster on this machine: needs Docker, kind, kubectl, helm
	@k8s/kind/up.sh

kind-down: ## remove that cluster
	kind delete cluster --name nightshift

bench: setup ## measure Nightshift beside its peers, for an hour; ARGS=--help lists shorter ways
	@node bench/main.ts $(ARGS)

bench-growth: setup ## measure with a million tasks waiting and ten million stored, for an hour; ARGS=--help
	@node bench/growth/main.ts $(ARGS)

images: setup ## build both images without Docker and run them as containers, in some minutes; ARGS=build only builds
	@node scripts/images/main.ts $(ARGS)

clean: ## remove all that was installed, built or noted here
	@if [ -e .nightshift/servers.json ]; then $(MAKE) --no-print-directory down; fi
	rm -rf .nightshift node_modules coverage

test-here: check
	@$(VITEST) --project unit --project chart --project live $(ARGS)

# The tests stop, freeze and crash their servers, so these must be programs beside them: a container brings them
# along. The two anonymous volumes keep its Linux packages apart from this machine's.
# (Never yet run where there is a Docker engine.)
test-in-docker:
	docker run --rm --init -v "$(CURDIR)":/nightshift -v /nightshift/node_modules -v /nightshift/.nightshift \
	  -w /nightshift $(IMAGE) make test ARGS="$(ARGS)"
