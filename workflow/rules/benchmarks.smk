# Needs a model and a mask set; makes results/<study>/benchmarks/<model>/<mask_set>/<suite>.parquet
# One job loads its engine once and runs all languages' masks.


rule download_dataset:
    """Download the files of a data set at a pinned revision, with a manifest of them."""
    output:
        dataset=directory(f"{RESULTS}/datasets/{{dataset}}"),
    log:
        f"{RESULTS}/logs/download_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/resources/download_dataset/{{dataset}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        pin=lambda wildcards: pin(f"datasets.{wildcards.dataset}", "files"),
    script:
        "../scripts/download_dataset.py"


rule run_benchmarks:
    """Multiple-choice questions through lm-evaluation-harness, per-item results kept."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        data=lambda wildcards: study.suite_data(wildcards.suite),
        means=mean_values,
    output:
        answers=f"{RESULTS}/benchmarks/{{model}}/{{mask_set}}/{{suite}}.parquet",
    log:
        f"{RESULTS}/logs/run_benchmarks/{{model}}/{{mask_set}}/{{suite}}.log",
    benchmark:
        f"{RESULTS}/resources/run_benchmarks/{{model}}/{{mask_set}}/{{suite}}.tsv"
    conda:
        f"../../envs/{EVALUATION}.yaml"
    resources:
        batch_size=config["evaluation"]["batch_size"],
        gpu=config["evaluation"]["gpus"],
        models_in_memory=1,
    params:
        benchmarks=lambda wildcards: study.suite_settings(wildcards.suite),
        intervention=lambda wildcards: study.intervention(wildcards.mask_set),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=lambda wildcards: code_version(
            "run_benchmarks.py", *study.task_files(wildcards.suite)
        ),
    script:
        "../scripts/run_benchmarks.py"
