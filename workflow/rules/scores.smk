# Needs all answers and judgements; makes results/<study>/scores.parquet, langspec_f1.parquet, contrasts.parquet,
# perplexity.parquet, perplexity_contrasts.parquet and sweeps/<sweep>.parquet. No model is loaded from here on.


rule score_masks:
    """Compute scores, drops, LangSpec-F1 and contrasts between languages with paired bootstrap intervals."""
    input:
        benchmarks=answers(study.evaluated_models, SETS, study.suites),
        judgements=judged_answers(study.judges.names[:1]),
        summaries=mask_files(study.masks.shown, "json"),
    output:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
        contrasts=f"{RESULTS}/contrasts.parquet",
    log:
        f"{RESULTS}/logs/score_masks.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        scores=pick("scores.resamples", "scores.seed"),
        benchmarks=study.scored_benchmarks(*study.asked),
        mask_sets=study.masks.groups(list(study.masks.shown)),
        reference=study.masks.reference,
        code=code_version("score_masks.py"),
    script:
        "../scripts/score_masks.py"


rule score_sample:
    """Compare masks with many random ones, all on one part of the questions."""
    input:
        answers=answers(
            study.evaluated_models,
            [ORIGINAL, *study.masks.hypotheses],
            study.sampled_suites,
        ),
        sampled=answers(
            study.evaluated_models,
            study.masks.sampled,
            [f"{SAMPLED}{suite}" for suite in study.sampled_suites],
        ),
        documents=(
            answers(
                study.perplexity_models,
                [
                    ORIGINAL,
                    *filter(
                        study.perplexity_sets.__contains__, study.masks.hypotheses
                    ),
                ],
                [PERPLEXITY],
            )
            if study.samples_perplexity
            else []
        ),
        sampled_documents=(
            answers(
                study.perplexity_models,
                study.masks.sampled,
                [f"{SAMPLED}{PERPLEXITY}"],
            )
            if study.samples_perplexity
            else []
        ),
        summaries=mask_files([*study.masks.hypotheses, *study.masks.sampled], "json"),
    output:
        null=f"{RESULTS}/sampled_null.parquet",
    log:
        f"{RESULTS}/logs/score_sample.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        benchmarks=study.scored_benchmarks(*study.sampled_suites),
        mask_sets=study.masks.groups([*study.masks.hypotheses, *study.masks.sampled]),
        code=code_version("score_sample.py"),
    script:
        "../scripts/score_sample.py"


rule score_sweep:
    """Compute LangSpec-F1 and drops of a sweep's mask sets; if a setting is chosen, on halves of the questions."""
    input:
        benchmarks=lambda wildcards: swept_answers(wildcards.sweep),
        summaries=lambda wildcards: sorted(
            set(
                mask_files(
                    map(
                        study.masks.neurons_of,
                        study.masks.sweeps.sets_of(wildcards.sweep),
                    ),
                    "json",
                )
            )
        ),
    output:
        table=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    log:
        f"{RESULTS}/logs/score_sweep/{{sweep}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        points=lambda wildcards: study.masks.sweep_points(wildcards.sweep),
        halves=lambda wildcards: wildcards.sweep in ["ablation", "threshold"],
        benchmarks=lambda wildcards: study.scored_benchmarks(
            config["sweeps"][wildcards.sweep]["suite"]
        ),
        scores=pick("scores.resamples", "scores.seed"),
        code=code_version("score_sweep.py"),
    script:
        "../scripts/score_sweep.py"


rule score_perplexity:
    """Compute the perplexity of every mask on every language's texts, with bootstrap intervals over documents."""
    input:
        documents=answers(
            study.perplexity_models, [ORIGINAL, *study.perplexity_sets], [PERPLEXITY]
        ),
    output:
        table=f"{RESULTS}/perplexity.parquet",
        contrasts=f"{RESULTS}/perplexity_contrasts.parquet",
    log:
        f"{RESULTS}/logs/score_perplexity.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        mask_sets=study.masks.groups(study.perplexity_sets),
        scores=pick("scores.resamples", "scores.seed"),
        code=code_version("score_perplexity.py"),
    script:
        "../scripts/score_perplexity.py"
