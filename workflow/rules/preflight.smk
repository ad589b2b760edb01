import time

# Checks and estimates before anything is submitted: `snakemake preflight` and `snakemake plan` take seconds,
# `snakemake preflight_gpu` sends one short job to a GPU node. None of these rules makes a result, and none is retried
# (`retries: 0`): a repeated check finds the same, and the rules that print delete their inputs.
CHECKS = f"{RESULTS}/preflight"
# A param of every check that is always new, so that checks left behind by an interrupted preflight are repeated.
NOW = time.time_ns()
# The packages that the rules of each environment import.
ENVIRONMENTS = {
    "relevance": [
        "torch",
        "transformers",
        "safetensors",
        "lxt",
        "datasketch",
        "chardet",
        "zstandard",
    ],
    EVALUATION: ["torch", "transformers", "lm_eval", "datasets", "chardet", "zstandard"]
    + (["vllm"] if EVALUATION == "vllm" else []),
    "analysis": [
        "torch",
        "transformers",
        "gguf",
        "sentencepiece",
        "chardet",
        "zstandard",
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "matplotlib",
        "sacrebleu",
        "sklearn",
        "openai",
        "lingua",
    ],
}


rule check_environment:
    """Import the packages that the rules of one environment need, in that environment."""
    output:
        checks=f"{CHECKS}/environment-{{environment}}.json",
    log:
        f"{RESULTS}/logs/check_environment/{{environment}}.log",
    wildcard_constraints:
        environment=among(ENVIRONMENTS),
    retries: 0
    localrule: True
    conda:
        "../../envs/{environment}.yaml"
    params:
        asked=NOW,
        modules=lambda wildcards: ENVIRONMENTS[wildcards.environment],
    script:
        "../scripts/check_environment.py"


rule check_study:
    """Check models, data, keys, partitions and disk."""
    output:
        checks=f"{CHECKS}/study.json",
    log:
        f"{RESULTS}/logs/check_study.log",
    retries: 0
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        asked=NOW,
        config=config,
        partitions=lambda _: profiles.partitions(workflow),
        # In minutes, or as expressions of their attempts.
        runtimes=lambda _: profiles.resources_of_submitted(workflow, "runtime"),
    script:
        "../scripts/check_study.py"


rule check_gpu:
    """Check the GPU of a node, from a job on that node."""
    output:
        checks=f"{CHECKS}/gpu.json",
    log:
        f"{RESULTS}/logs/check_gpu.log",
    retries: 0
    conda:
        "../../envs/relevance.yaml"
    resources:
        gpu=1,
    params:
        asked=NOW,
        config=config,
    script:
        "../scripts/check_gpu.py"


rule preflight:
    """Print one line per check; fail if any check failed."""
    input:
        study=f"{CHECKS}/study.json",
        environments=expand(
            f"{CHECKS}/environment-{{environment}}.json", environment=ENVIRONMENTS
        ),
    log:
        f"{RESULTS}/logs/preflight.log",
    retries: 0
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/preflight.py"


rule preflight_gpu:
    """Print the check of a GPU node; fail if it failed."""
    input:
        gpu=f"{CHECKS}/gpu.json",
    log:
        f"{RESULTS}/logs/preflight_gpu.log",
    retries: 0
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    script:
        "../scripts/preflight.py"


rule plan:
    """Estimate jobs, GPU hours, disk, transfers and judge calls of the whole study."""
    log:
        f"{RESULTS}/logs/plan.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        config=config,
    script:
        "../scripts/plan.py"
