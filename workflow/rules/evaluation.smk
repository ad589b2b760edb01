# Needs a model and a mask set; makes results/<study>/benchmarks/<model>/<mask_set>/<suite>.parquet,
# results/<study>/generations/<model>/<mask_set>/<lang>.jsonl, results/<study>/perplexity/<model>/<mask_set>.parquet
# One job loads its engine once and runs all languages' masks.


rule run_benchmarks:
    """Multiple-choice questions through lm-evaluation-harness, per-item results kept."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        data=lambda wildcards: study.inputs.suite_data(wildcards.suite),
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
        benchmarks=lambda wildcards: study.inputs.suite_settings(wildcards.suite),
        intervention=lambda wildcards: study.masks.intervention(wildcards.mask_set),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=lambda wildcards: code_version(
            "run_benchmarks.py", *study.inputs.task_files(wildcards.suite)
        ),
    script:
        "../scripts/run_benchmarks.py"


rule generate_answers:
    """Greedy answers to the open questions under every language's mask."""
    input:
        unpack(open_questions),
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        means=mean_values,
    output:
        answers=expand(
            f"{RESULTS}/generations/{{{{model}}}}/{{{{mask_set}}}}/{{lang}}.jsonl",
            lang=study.languages,
        ),
    log:
        f"{RESULTS}/logs/generate_answers/{{model}}/{{mask_set}}.log",
    benchmark:
        f"{RESULTS}/resources/generate_answers/{{model}}/{{mask_set}}.tsv"
    conda:
        f"../../envs/{EVALUATION}.yaml"
    resources:
        batch_size=config["evaluation"]["batch_size"],
        gpu=config["evaluation"]["gpus"],
        models_in_memory=1,
    params:
        open_questions=lambda wildcards: pick(
            *(
                f"open_questions.{key}"
                for key in [
                    "style",
                    "suffix",
                    "chat_template",
                    "max_new_tokens",
                    "repetition_penalty",
                    "context",
                ]
            )
        ),
        languages=study.languages,
        intervention=lambda wildcards: study.masks.intervention(wildcards.mask_set),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("generate_answers.py"),
    script:
        "../scripts/generate_answers.py"


rule measure_perplexity:
    """Log-likelihood of the held-out documents of all languages under every language's mask."""
    input:
        **held_out_texts("{model}"),
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
        means=mean_values,
    output:
        documents=f"{RESULTS}/perplexity/{{model}}/{{mask_set}}.parquet",
    log:
        f"{RESULTS}/logs/measure_perplexity/{{model}}/{{mask_set}}.log",
    benchmark:
        f"{RESULTS}/resources/measure_perplexity/{{model}}/{{mask_set}}.tsv"
    wildcard_constraints:
        model=among(study.perplexity_models),
    conda:
        f"../../envs/{EVALUATION}.yaml"
    resources:
        batch_size=config.get("perplexity", {}).get("batch_size", 1),
        gpu=config["evaluation"]["gpus"],
        models_in_memory=1,
    params:
        languages=study.languages,
        intervention=lambda wildcards: study.masks.intervention(wildcards.mask_set),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("measure_perplexity.py"),
    script:
        "../scripts/measure_perplexity.py"
