# `make demo` shows what bluegreen does, `make test` proves it. Both work on a bare Debian 12 as root.

SHELL := /bin/bash
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
CODE := src tests bench examples scripts/run-and-reap scripts/reference scripts/generate-docs
# What takes longest comes first, so that all workers end at about the same time.
PYTEST_ARGS ?= tests/e2e tests/examples tests/contract tests/docs tests/unit tests/architecture
# Four files of tests at a time: much of their time is waiting. `make test SIDE_BY_SIDE=` runs one by one.
SIDE_BY_SIDE ?= -n 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format bench docs clean

help: ## Show this
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/ready ## Release a sample service under load, on this machine, and go back
	@$(BIN)/bluegreen demo

# The linters look while missing packages are fetched. The tests run even if they complain: their summary comes
# last, the exit code tells of both. Byte code is made first: many programs are started, some where nobody may
# write any.
test: .venv/ready-to-test ## Run every linter and every test; installs Docker and the like if missing
	@mkdir -p .cache; $(MAKE) --no-print-directory lint >.cache/lint.log 2>&1 & lint=$$!; \
	scripts/install-test-prerequisites || { kill $$lint; exit 1; }; \
	$(BIN)/python -m compileall -q src tests; \
	status=0; wait $$lint || status=$$?; cat .cache/lint.log; \
	PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS) || status=$$?; \
	exit $$status

check: lint ## The fast part: linters, architecture and unit tests
	@$(BIN)/python -m pytest tests/architecture tests/unit

lint: .venv/ready-to-test ## Style, types, and who may import whom
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/ruff format --quiet --check $(CODE)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

format: .venv/ready-to-test ## Format the code and mend what can be mended
	@$(BIN)/ruff check --quiet --fix $(CODE)
	@$(BIN)/ruff format --quiet $(CODE)

bench: .venv/ready-to-test ## Measure the bars of the design; with BENCH_ARGS=soak what faults cost in ten minutes of load
	@scripts/install-test-prerequisites --bench
	@PATH="$$PATH:/usr/sbin:/sbin" $(BIN)/python -m bench $(BENCH_ARGS)

docs: .venv/ready-to-test ## Write the generated pages of the documentation anew
	@scripts/generate-docs

clean: ## Remove everything that was built or cached
	rm -rf .venv .cache build .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info

.venv/ready: pyproject.toml constraints.txt
	@scripts/make-venv
	@$(INSTALL) --editable .
	@touch $@

.venv/ready-to-test: .venv/ready
	@$(INSTALL) --editable '.[test]'
	@touch $@
