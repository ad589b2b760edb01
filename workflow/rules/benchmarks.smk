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
        "../../envs/evaluation.yaml"
    resources:
        batch_size=config["evaluation"]["batch_size"],
    params:
        benchmarks=lambda wildcards: study.suite_settings(wildcards.suite),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("run_benchmarks.py", "tasks/question_with_choices.yaml"),
    script:
        "../scripts/run_benchmarks.py"
