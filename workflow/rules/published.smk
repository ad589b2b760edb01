# Needs the scores and the paper's numbers; makes, where the study says what stands for what (key `published`),
# results/<study>/tables/published-<model>-<suite>.* and figures/published-<model>-<suite>.*
PUBLISHED = config.get("published", {})

TABLES += [
    f"{RESULTS}/tables/published-{model}-{suite}.{form}"
    for model, suite in study.published
    for form in FORMS
]
FIGURES += [
    f"{RESULTS}/figures/published-{model}-{suite}.{form}"
    for model, suite in study.published
    for form in ["pdf", "png"]
]


rule make_published_table:
    """The paper's numbers, this run's, its intervals, and whether the paper's lie in them."""
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
        paper_scores="resources/published/scores.csv",
        paper_f1="resources/published/langspec_f1.csv",
    output:
        **table_files(
            "published-{model}-{suite}",
            category="Evidence",
            subcategory="Paper and this run",
            caption="../report/published.rst",
            labels={
                "result": "paper and this run (table)",
                "model": "{model}",
                "suite": "{suite}",
            },
        ),
    log:
        f"{RESULTS}/logs/make_published_table/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        published=PUBLISHED,
        code=code_version("make_published_table.py"),
    script:
        "../scripts/make_published_table.py"


rule plot_published:
    """The paper's numbers beside this run's, cell by cell."""
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
        paper_scores="resources/published/scores.csv",
        paper_f1="resources/published/langspec_f1.csv",
    output:
        pdf=f"{RESULTS}/figures/published-{{model}}-{{suite}}.pdf",
        png=report(
            f"{RESULTS}/figures/published-{{model}}-{{suite}}.png",
            category="Evidence",
            subcategory="Paper and this run",
            caption="../report/published.rst",
            labels={
                "result": "paper and this run",
                "model": "{model}",
                "suite": "{suite}",
            },
        ),
    log:
        f"{RESULTS}/logs/plot_published/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        published=PUBLISHED,
        figure=pick("figures"),
        code=code_version("plot_published.py"),
    script:
        "../scripts/plot_published.py"
