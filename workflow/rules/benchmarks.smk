# Needs a model and a mask set; makes results/<study>/benchmarks/<model>/<mask_set>/<suite>.parquet
# One job loads its engine once and runs all languages' masks.


# No mask for the original model; the identification model's masks for every model.
def mask_file(wildcards):
    if wildcards.mask_set == ORIGINAL:
        return []
    return f"{RESULTS}/masks/{FIRST}/{wildcards.mask_set}.parquet"


def generated_questions(wildcards):
    chosen = [config["benchmarks"][name] for name in config["suites"][wildcards.suite]]
    return [
        f"{RESULTS}/generated/{b['language']}/benchmark.jsonl" for b in chosen if b.get("data") == "generated"
    ]


# What decides a suite's results: labels and chance levels do not.
def benchmark_settings(wildcards):
    settings = {}
    for name in config["suites"][wildcards.suite]:
        keys = ["task", "fewshot", "data", "stratify_by", "cluster_by"]
        settings[name] = {key: config["benchmarks"][name][key] for key in keys if key in config["benchmarks"][name]}
        if settings[name].get("data") == "generated":
            language = config["benchmarks"][name]["language"]
            settings[name]["data"] = f"{RESULTS}/generated/{language}/benchmark.jsonl"
    return settings


rule run_benchmarks:
    """Multiple-choice questions through lm-evaluation-harness, per-item results kept."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        data=generated_questions,
    output:
        answers=f"{RESULTS}/benchmarks/{{model}}/{{mask_set}}/{{suite}}.parquet",
    params:
        benchmarks=benchmark_settings,
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("run_benchmarks.py", "tasks/question_with_choices.yaml"),
    log:
        f"{RESULTS}/logs/run_benchmarks/{{model}}/{{mask_set}}/{{suite}}.log",
    benchmark:
        f"{RESULTS}/resources/run_benchmarks/{{model}}/{{mask_set}}/{{suite}}.tsv"
    resources:
        batch_size=config["evaluation"]["batch_size"],
    script:
        "../scripts/run_benchmarks.py"
