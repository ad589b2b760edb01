# Needs the scores and what the judges said of every answer; makes results/<study>/tables/{answer_language-<model>,
# judge_agreement,judge_usage}.* and figures/judge_scores-<model>.*
TABLES += expand(
    f"{RESULTS}/tables/{{table}}.{{form}}",
    table=[
        *expand("answer_language-{model}", model=study.evaluated_models),
        *(["judge_agreement"] if len(config["judges"]) > 1 else []),
        *(["judge_usage"] if study.paid_judges else []),
    ],
    form=FORMS,
)
FIGURES += expand(
    f"{RESULTS}/figures/judge_scores-{{model}}.{{form}}",
    model=study.evaluated_models,
    form=["pdf", "png"],
)


rule make_language_table:
    """Languages of the open answers, and drops split into switched and lost."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table_files(
            "answer_language-{model}",
            category="Tables",
            caption="../report/answer_language.rst",
            labels={"table": "answer_language-{model}"},
        ),
    log:
        f"{RESULTS}/logs/make_language_table/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        code=code_version("make_language_table.py"),
    script:
        "../scripts/make_language_table.py"


rule compare_judges:
    """Agreement of the judges on the same answers."""
    input:
        judgements=expand(
            f"{RESULTS}/judgements/{{judge}}/{{model}}/{{mask_set}}/{{lang}}.jsonl",
            judge=config["judges"],
            model=study.evaluated_models,
            mask_set=ALL_SETS,
            lang=study.languages,
        ),
    output:
        **table_files(
            "judge_agreement",
            category="Tables",
            caption="../report/judge_agreement.rst",
            labels={"table": "judge_agreement"},
        ),
    log:
        f"{RESULTS}/logs/compare_judges.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        judges=study.judge_labels(),
        code=code_version("compare_judges.py"),
    script:
        "../scripts/compare_judges.py"


rule count_judge_usage:
    """Tokens and cost of the judges behind endpoints."""
    input:
        judgements=expand(
            f"{RESULTS}/judgements/{{judge}}/{{model}}/{{mask_set}}/{{lang}}.jsonl",
            judge=study.paid_judges,
            model=study.evaluated_models,
            mask_set=ALL_SETS,
            lang=study.languages,
        ),
    output:
        **table_files(
            "judge_usage",
            category="Tables",
            caption="../report/judge_usage.rst",
            labels={"table": "judge_usage"},
        ),
    log:
        f"{RESULTS}/logs/count_judge_usage.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        judges={name: study.judge_labels()[name] for name in study.paid_judges},
        prices=study.judge_prices(),
        code=code_version("count_judge_usage.py"),
    script:
        "../scripts/count_judge_usage.py"


rule plot_judge_scores:
    """Judge scores per mask and language, with intervals over questions."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        pdf=f"{RESULTS}/figures/judge_scores-{{model}}.pdf",
        png=report(
            f"{RESULTS}/figures/judge_scores-{{model}}.png",
            category="Figures",
            caption="../report/judge_scores.rst",
            labels={"figure": "judge scores", "model": "{model}", "suite": OPEN_SUITE},
        ),
    log:
        f"{RESULTS}/logs/plot_judge_scores/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        figure=pick("figures"),
        code=code_version("plot_judge_scores.py"),
    script:
        "../scripts/plot_judge_scores.py"
