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
PYTEST = $(RUN) pytest -n auto --dist loadscope --no-loadscope-reorder
RETRY ?=
ONLY ?=
RUNS ?= 3
JSON ?=
CALIBRATE ?=
POWER ?=
DIFFERENCE ?=
MINUTES ?=
STOP ?=
# Whatever a variable holds is text: make does not expand it, the shell does not run it, Hydra gets it quoted.
unexport STUDY SIZE SEEDS JOBS ARGS RETRY ONLY RUNS JSON CALIBRATE POWER DIFFERENCE MINUTES STOP
quoted = '$(subst ','\'',$(1))'
hydra = "$(subst ",\",$(subst \",\\",$(value $(1))))"
RUN = $(BIN)/python -m ablation.cli.from_make $(call quoted,$(value ARGS))
# How the results of a study in one size are named; without SIZE the analysis looks for the default one, or else the quick one.
STORED = $(call quoted,$(value STUDY)$(if $(value SIZE),-$(value SIZE)))
OVERRIDES = $(call quoted,study=$(value STUDY)) $(if $(value SIZE),$(call quoted,size=$(value SIZE))) \
	$(if $(value SEEDS),$(call quoted,study.seeds=$(value SEEDS))) $(if $(value JOBS),$(call quoted,launch.jobs=$(value JOBS))) \
	$(if $(value RETRY),$(call quoted,retry=$(value RETRY))) $(if $(value ONLY),$(call quoted,only=$(call hydra,ONLY)))

# A variable that nothing reads is a misspelled one.
VARIABLES := STUDY SIZE SEEDS JOBS ARGS RETRY ONLY RUNS JSON CALIBRATE POWER DIFFERENCE MINUTES STOP PYTHON BIN MARK
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(VARIABLES) -%,$(GIVEN))
ifneq ($(UNKNOWN),)
$(error $(shell $(PYTHON) ablation/config/near.py $(foreach name,$(UNKNOWN),$(call quoted,$(name))) -- $(VARIABLES)))
endif

# Questions of `plan` about seeds.
SEED_PLAN = $(if $(value POWER),$(call quoted,power=$(value POWER))) \
	$(if $(value DIFFERENCE),$(call quoted,difference=$(value DIFFERENCE))) $(TIME)
TIME = $(if $(value MINUTES),$(call quoted,minutes=$(value MINUTES)))
LOOKS = $(if $(value STOP),$(call quoted,stop=$(value STOP))) $(TIME)

FLAGS = $(if $(value JSON),--json) $(if $(value CALIBRATE),--calibrate)

.DEFAULT_GOAL := help
.PHONY: help setup demo docs sweep plan status verify repair report checklist claims papers gallery screenshots sync wandb-report view test test-slow chaos check bench \
	bench-engine bench-tracking bench-published bench-analysis bench-outside bench-coverage bench-spread bench-tuned release clean

help: ## list the targets and variables
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  variables: STUDY=replay SIZE=paper SEEDS=32 JOBS=2 ARGS="agent.learning_rate=0.001 ..."'
	@echo '  sweep: RETRY=failed|arithmetic, STOP=resolved MINUTES=30, ONLY="capacity=*"; plan, status: JSON=1; plan: CALIBRATE=1, POWER=0.8 DIFFERENCE=40, MINUTES=30; verify: RUNS=3'

setup: $(MARK) ## build .venv with the tested versions

$(MARK): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(MARK) ## a small version of the default study: train and report it (under a minute)
	@$(MAKE) --no-print-directory sweep SIZE=quick

sweep: $(MARK) ## train what is missing of a study, then report it
	$(RUN) replay-ablation sweep $(OVERRIDES) $(LOOKS)

plan: $(MARK) ## show a study's configurations, what is left to train, how many seeds it takes
	@$(RUN) replay-ablation plan $(OVERRIDES) $(FLAGS) $(SEED_PLAN)

status: $(MARK) ## show how many runs of each arm are complete
	@$(RUN) replay-ablation status $(OVERRIDES) $(FLAGS)

report: $(MARK) ## rebuild a study's tables, figures and page from the stored runs
	$(RUN) replay-ablation report $(STORED)

checklist: $(MARK) ## write a study's reproducibility paragraph in LaTeX, and name common errors in it
	@$(RUN) replay-ablation checklist $(STORED)

verify: $(MARK) ## train stored runs of a study again and compare every bit (RUNS=3, or names of runs)
	@$(RUN) replay-ablation verify $(OVERRIDES) $(call quoted,runs=$(value RUNS))

repair: $(MARK) ## read every stored run in full and set the damaged ones aside, for the next sweep to train again
	@$(RUN) replay-ablation repair $(OVERRIDES)

sync: $(MARK) ## upload every stored run and study that W&B does not have yet
	$(RUN) replay-ablation sync

wandb-report: $(MARK) ## build or update a study's W&B report (ARGS=--dry-run: into a file)
	$(RUN) replay-ablation wandb-report $(STORED)

view: $(MARK) ## browse the tracked runs in the terminal, without a network
	WANDB_ERROR_REPORTING=false $(BIN)/wandb leet results/wandb

claims: $(MARK) ## train the runs that test the article's claims, and evaluate the claims
	$(MAKE) --no-print-directory sweep STUDY=claims
	$(MAKE) --no-print-directory sweep STUDY=claims_physics
	$(MAKE) --no-print-directory sweep STUDY=digits
	$(BIN)/replay-ablation claims

papers: $(MARK) ## compare the stored studies of papers with what the papers report
	$(RUN) replay-ablation papers

gallery: $(MARK) ## put the stored studies of papers into docs/papers/, a page each
	$(RUN) replay-ablation gallery

test: $(MARK) ## run the tests
	$(PYTEST)

test-slow: $(MARK) ## run the tests that take minutes
	$(RUN) pytest -m slow

chaos: $(MARK) ## strike two sweeps a hundred times: kills, pauses, clock jumps, a full disk, syncs (an hour)
	$(RUN) pytest -m slow -s tests/test_chaos.py

screenshots: $(MARK) ## photograph a study's page for the docs (STUDY=replay)
	$(BIN)/python -m benchmarks.screenshots $(STORED)

docs: $(MARK) ## build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: $(MARK) ## lint, check formatting and types, build the documentation, run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(PYTEST)

bench: $(MARK) ## measure speed beside Stable-Baselines3 and JAX, memory, image networks, and networks by PyTorch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(RUN) python -m benchmarks.speed
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.images
	$(BIN)/python -m benchmarks.networks

bench-engine: $(MARK) ## what a sweep costs beside its training; the inventory of 100,000 runs; a plan of 1,000 cells
	$(RUN) python -m benchmarks.engine

bench-tracking: $(MARK) ## what tracking costs: a job with it and without
	$(RUN) python -m benchmarks.tracking

bench-published: $(MARK) ## our scores beside published ones and Stable-Baselines3's (an hour)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m benchmarks.published
	$(BIN)/python -m benchmarks.against_sb3

bench-analysis: $(MARK) ## measure the report of a large study, and the bootstrap
	$(BIN)/python -m benchmarks.analysis

bench-outside: $(MARK) ## measure the import of 10,000 runs from elsewhere, and their report
	$(BIN)/python -m benchmarks.outside

bench-coverage: $(MARK) ## simulate the coverage of the intervals (twenty minutes)
	$(RUN) python -m benchmarks.coverage

bench-spread: $(MARK) ## simulate tolerance intervals, failure shares and the note on two groups (ten minutes)
	$(BIN)/python -m benchmarks.spread $(ARGS)

bench-tuned: $(MARK) ## simulate the intervals of tuned arms (two minutes)
	$(BIN)/python -m benchmarks.tuned_coverage $(ARGS)

release: $(MARK) ## put into dist/ the wheel and an archive of all stored runs, without their networks
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	tar -cJf dist/runs.tar.xz --exclude=policy.npz --exclude='*.log' --exclude='*.lock' results/runs results/studies
	cd dist && sha256sum *.whl *.tar.xz > SHA256SUMS

clean: ## remove the environment and caches; results/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
