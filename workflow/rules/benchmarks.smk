# Needs a model and a mask set; makes results/<study>/benchmarks/<model>/<mask_set>/<suite>.parquet
# One job loads its engine once and runs all languages' masks.


rule run_benchmarks:
    """Multiple-choice questions through lm-evaluation-harness, per-item results kept."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        data=lambda wildcards: [
            settings["data"]
            for settings in study.suite_settings(wildcards.suite).values()
            if "data" in settings
        ],
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
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=lambda wildcards: code_version(
            "run_benchmarks.py", *study.task_files(wildcards.suite)
        ),
    script:
        "../scripts/run_benchmarks.py"
