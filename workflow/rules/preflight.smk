import time

# What can be known before anything is submitted: `snakemake preflight` and `snakemake plan`, both in seconds;
# `snakemake preflight_gpu` sends one tiny job to a GPU node. Nothing here makes a result. Nothing is tried again
# (`retries: 0`): what a check has found stays so, and the rules that print have deleted what they would need.
CHECKS = f"{RESULTS}/preflight"
# A param of every check that is new each time: what an interrupted preflight left behind is never believed.
NOW = time.time_ns()
# The packages that the rules of each environment import; the environment is the rules' own.
ENVIRONMENTS = {
    "relevance": ["torch", "transformers", "safetensors", "lxt"],
    EVALUATION: ["torch", "transformers", "lm_eval", "datasets"]
    + (["vllm"] if EVALUATION == "vllm" else []),
    "analysis": [
        "torch",
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
    """Import what the rules of one environment need, in that environment."""
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
    """Models, data, keys, partitions and disk: there, or to be had."""
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
        partitions=partitions,
    script:
        "../scripts/check_study.py"


rule check_gpu:
    """The GPU of a node, seen from a job there."""
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
    """Print one line per check; fail where one fails."""
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
    """The same for a GPU node."""
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
