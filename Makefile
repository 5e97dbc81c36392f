# Everything a user does with this project; `make help` lists it.
STUDY ?= replay
SIZE ?=
SEEDS ?=
JOBS ?=
ARGS ?=

PYTHON ?= python3
BIN := .venv/bin
MARK := .venv/.installed
# In the order of tests/conftest.py: the longest files first.
PYTEST := $(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder
RETRY ?=
ONLY ?=
RUNS ?= 3
JSON ?=
CALIBRATE ?=
# How the results of a study in one size are named; without SIZE the analysis looks for the quick one.
STORED = $(STUDY)$(if $(SIZE),-$(SIZE))
OVERRIDES = study=$(STUDY) $(if $(SIZE),size=$(SIZE)) $(if $(SEEDS),study.seeds=$(SEEDS)) $(if $(JOBS),launch.jobs=$(JOBS)) \
	$(if $(RETRY),retry=$(RETRY)) $(if $(ONLY),"only='$(ONLY)'") $(ARGS)
FLAGS = $(if $(JSON),--json) $(if $(CALIBRATE),--calibrate)

.DEFAULT_GOAL := help
.PHONY: help setup sweep plan status verify report claims papers gallery sync wandb-report view test test-slow chaos check bench \
	bench-engine bench-tracking bench-published bench-analysis bench-coverage bench-spread clean

help: ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  variables: STUDY=replay SIZE=paper SEEDS=32 JOBS=2 ARGS="agent.learning_rate=0.001 ..."'
	@echo '  sweep: RETRY=failed|arithmetic, ONLY="capacity=*"; plan, status: JSON=1; plan: CALIBRATE=1; verify: RUNS=3'

setup: $(MARK) ## build .venv with the tested versions

$(MARK): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

sweep: $(MARK) ## train what is missing of a study, then report it
	$(BIN)/python -m ablation $(OVERRIDES)

plan: $(MARK) ## show a study's configurations and what is left to train
	@$(BIN)/python -m ablation plan $(OVERRIDES) $(FLAGS)

status: $(MARK) ## show how many runs of each arm are complete
	@$(BIN)/python -m ablation status $(OVERRIDES) $(FLAGS)

report: $(MARK) ## rebuild a study's tables, figures and page from the stored runs
	$(BIN)/python -m analysis report $(STORED) $(ARGS)

verify: $(MARK) ## train stored runs of a study again and compare every bit (RUNS=3, or names of runs)
	@$(BIN)/python -m ablation verify $(OVERRIDES) 'runs=$(RUNS)'

sync: $(MARK) ## upload every stored run and study that W&B does not have yet
	$(BIN)/python -m analysis sync $(ARGS)

wandb-report: $(MARK) ## build or update a study's W&B report (ARGS=--dry-run: into a file)
	$(BIN)/python -m analysis wandb-report $(STORED) $(ARGS)

view: $(MARK) ## browse the tracked runs in the terminal, without a network
	WANDB_ERROR_REPORTING=false $(BIN)/wandb leet results/wandb

claims: $(MARK) ## train the runs that test the article's claims, and evaluate the claims
	$(MAKE) --no-print-directory sweep STUDY=claims
	$(MAKE) --no-print-directory sweep STUDY=digits
	$(BIN)/python -m analysis claims

papers: $(MARK) ## compare the stored studies of papers with what the papers report
	$(BIN)/python -m analysis papers $(ARGS)

gallery: $(MARK) ## put the stored studies of papers into README and docs/papers.md
	$(BIN)/python -m analysis gallery $(ARGS)

test: $(MARK) ## run the tests
	$(PYTEST) $(ARGS)

test-slow: $(MARK) ## run the tests that take minutes
	$(BIN)/pytest -m slow $(ARGS)

chaos: $(MARK) ## kill a sweep a hundred times at random moments (a quarter of an hour)
	$(BIN)/pytest -m slow -s tests/test_chaos.py $(ARGS)

check: $(MARK) ## lint, check formatting and types, run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

bench: $(MARK) ## measure speed beside Stable-Baselines3 and JAX, memory, and image networks
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m benchmarks.speed $(ARGS)
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.images

bench-engine: $(MARK) ## what a sweep costs beside its training; the inventory of 100,000 runs; a plan of 1,000 cells
	$(BIN)/python -m benchmarks.engine $(ARGS)

bench-tracking: $(MARK) ## what tracking costs: a job with it and without
	$(BIN)/python -m benchmarks.tracking $(ARGS)

bench-published: $(MARK) ## our scores beside published ones and Stable-Baselines3's (an hour)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m benchmarks.published
	$(BIN)/python -m benchmarks.against_sb3

bench-analysis: $(MARK) ## measure the report of a large study, and the bootstrap
	$(BIN)/python -m benchmarks.analysis

bench-coverage: $(MARK) ## simulate the coverage of the intervals (twenty minutes)
	$(BIN)/python -m benchmarks.coverage $(ARGS)

bench-spread: $(MARK) ## simulate tolerance intervals, failure shares and the note on two groups (ten minutes)
	$(BIN)/python -m benchmarks.spread $(ARGS)

clean: ## remove the environment and caches; results/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
