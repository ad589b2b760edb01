# Needs the results; makes every table in all forms, those of evidence.smk apart:
# results/<study>/tables/<name>.{csv,md,tex,txt,html}
# All rules share one script, which calls `function` with the input tables, the wildcards and the params that it takes.

# Scores, LangSpec-F1 and masks --------------------------------------------------------------------------


rule tabulate_answer_language:
    """Tabulate the languages of the open answers, and drops split into switched and lost."""
    input:
        **OF_UNEQUAL_LENGTH,
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table(
            "answer_language-{model}",
            category="Tables",
            caption="../report/answer_language.rst",
            labels={"table": "answer_language-{model}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_answer_language/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **tabulated_by("judges.language_table"),
        labels=LABELS,
    script:
        "../scripts/make_table.py"


use rule tabulate_answer_language as tabulate_scores with:
    input:
        **OF_UNEQUAL_LENGTH,
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table(
            "{table}",
            category="Tables",
            caption="../report/table.rst",
            labels={"table": "{table}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_scores/{{table}}.log",
    wildcard_constraints:
        table=among(outputs.score_tables(study)),
    params:
        **tabulated_by("paper.score_table"),
        settings=lambda wildcards: outputs.score_tables(study)[wildcards.table],


use rule tabulate_answer_language as tabulate_drops with:
    input:
        **OF_UNEQUAL_LENGTH,
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table(
            "matrix-{model}-{suite}",
            category="Tables",
            caption="../report/matrix.rst",
            labels={"table": "matrix-{model}-{suite}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_drops/{{model}}-{{suite}}.log",
    params:
        **tabulated_by("matrices.drop_matrix"),
        resamples=pick("scores.resamples"),


use rule tabulate_answer_language as tabulate_perplexity with:
    input:
        **OF_UNEQUAL_LENGTH,
        perplexity=f"{RESULTS}/perplexity.parquet",
    output:
        **table(
            "perplexity-{model}",
            category="Tables",
            caption="../report/perplexity.rst",
            labels={"table": "perplexity-{model}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_perplexity/{{model}}.log",
    params:
        **tabulated_by("matrices.perplexity_matrix"),
        resamples=pick("scores.resamples"),


use rule tabulate_answer_language as tabulate_sweep with:
    input:
        **OF_UNEQUAL_LENGTH,
        points=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    output:
        **table(
            "sweep_{sweep}",
            category="Tables",
            caption="../report/sweep_table.rst",
            labels={"table": "sweep: {sweep}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_sweep/{{sweep}}.log",
    params:
        **tabulated_by("sweeps.sweep_table"),
        suite=lambda wildcards: config["sweeps"][wildcards.sweep]["suite"],
        resamples=pick("scores.resamples"),


use rule tabulate_answer_language as tabulate_mask_counts with:
    input:
        **OF_UNEQUAL_LENGTH,
        **SELECTION_NULL,
        masks=mask_files(study.masks.selections),
        summaries=mask_files(study.masks.selections, "json"),
    output:
        **table(
            "mask_counts",
            category="Tables",
            caption="../report/mask_counts.rst",
            labels={"table": "mask_counts"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_mask_counts.log",
    params:
        **tabulated_by("mask_counts.mask_counts"),
        labels=MASK_LABELS,
        layers=study.layers,
        shards=pick("corpora.shards"),


use rule tabulate_answer_language as tabulate_corpora with:
    input:
        **(
            {
                "held_out_facts": expand(
                    f"{RESULTS}/held_out/{FIRST}/{{lang}}.parquet",
                    lang=study.languages,
                )
            }
            if study.perplexity_models
            else {}
        ),
        corpora_facts=expand(
            f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet", lang=study.languages
        ),
    output:
        **table(
            "corpora",
            category="Tables",
            caption="../report/corpora.rst",
            labels={"table": "corpora"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_corpora.log",
    params:
        **tabulated_by("corpora.corpus_table"),
        labels=MASK_LABELS,
        sample=study.inputs.relevance_sample()["sample"],


# Judges -----------------------------------------------------------------------------------------------


use rule tabulate_answer_language as tabulate_judge_agreement with:
    input:
        judgements=judged_answers(study.judges.names),
    output:
        **table(
            "judge_agreement",
            category="Tables",
            caption="../report/judge_agreement.rst",
            labels={"table": "judge_agreement"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_judge_agreement.log",
    params:
        **tabulated_by("judges.agreement_table"),
        labels=None,
        judges=study.judges.labels(),


use rule tabulate_answer_language as tabulate_judge_usage with:
    input:
        judgements=judged_answers(study.judges.paid),
    output:
        **table(
            "judge_usage",
            category="Tables",
            caption="../report/judge_usage.rst",
            labels={"table": "judge_usage"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_judge_usage.log",
    params:
        **tabulated_by("judges.usage_table"),
        labels=None,
        judges=study.judges.labels(study.judges.paid),
        prices=study.judges.prices(),


# `use rule` does not take over that a rule is local.
workflow.localrules(
    *(each.name for each in workflow.rules if each.name.startswith("tabulate_"))
)
