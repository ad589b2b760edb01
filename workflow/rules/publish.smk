# Needs all answers and judgements; makes results/<study>/scores.parquet, langspec_f1.parquet, tables/ and figures/
# No model is loaded here: everything regenerates in seconds.
ALL_SETS = [ORIGINAL, *study.mask_sets]
LABELS = study.labels()

TABLES = expand(
    f"{RESULTS}/tables/{{table}}.{{form}}",
    table=[
        *sorted(study.tables),
        "mask_counts",
    ],
    form=FORMS,
)
FIGURES = [
    f"{RESULTS}/figures/{figure}.{form}"
    for figure in [
        *([f"kurtosis_contrast-{FIRST}"] if study.contrast else []),
        *expand(
            "drop_heatmap-{model}-{suite}",
            model=study.evaluated_models,
            suite=[*SUITES, OPEN_SUITE],
        ),
        *(
            expand("transfer-{suite}", suite=[*SUITES, OPEN_SUITE])
            if config["transfer_models"]
            else []
        ),
        *(
            expand("random_band-{suite}", suite=[*SUITES, OPEN_SUITE])
            if study.by_method("random")
            else []
        ),
    ]
    for form in ["pdf", "png"]
]


rule score_masks:
    """Scores, drops and LangSpec-F1 with paired bootstrap intervals."""
    input:
        benchmarks=expand(
            f"{RESULTS}/benchmarks/{{model}}/{{mask_set}}/{{suite}}.parquet",
            model=study.evaluated_models,
            mask_set=ALL_SETS,
            suite=SUITES,
        ),
        judgements=expand(
            f"{RESULTS}/judgements/{study.judge}/{{model}}/{{mask_set}}/{{lang}}.jsonl",
            model=study.evaluated_models,
            mask_set=ALL_SETS,
            lang=study.languages,
        ),
        summaries=expand(
            f"{RESULTS}/masks/{FIRST}/{{mask_set}}.json", mask_set=study.mask_sets
        ),
    output:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    log:
        f"{RESULTS}/logs/score_masks.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        scores=pick("scores.resamples", "scores.seed"),
        benchmarks={
            name: {
                key: settings[key]
                for key in ["chance", "highest", "kind", "language", "suite"]
            }
            for name, settings in study.benchmarks.items()
        },
        mask_sets=study.groups(list(study.mask_sets)),
        reference=study.reference,
        code=code_version("score_masks.py"),
    script:
        "../scripts/score_masks.py"


rule make_table:
    """One of the paper's tables, as CSV, Markdown, LaTeX and text."""
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table_files(
            "{table}",
            category="Tables",
            caption="../report/table.rst",
            labels={
                "table": "{table}",
            },
        ),
    log:
        f"{RESULTS}/logs/make_table/{{table}}.log",
    wildcard_constraints:
        table=among(study.tables),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        table=lambda wildcards: study.tables[wildcards.table],
        labels=LABELS,
        code=code_version("make_table.py"),
    script:
        "../scripts/make_table.py"


rule count_masks:
    """How many neurons each mask set takes from each layer."""
    input:
        masks=expand(
            f"{RESULTS}/masks/{FIRST}/{{mask_set}}.parquet", mask_set=study.mask_sets
        ),
    output:
        **table_files(
            "mask_counts",
            category="Tables",
            caption="../report/mask_counts.rst",
            labels={
                "table": "mask_counts",
            },
        ),
    log:
        f"{RESULTS}/logs/count_masks.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels={key: LABELS[key] for key in ["languages", "mask_sets"]},
        layers=study.layers,
        code=code_version("count_masks.py"),
    script:
        "../scripts/count_masks.py"


rule plot_kurtosis_contrast:
    """The paper's Figure 3: kurtosis under one language against the others."""
    input:
        kurtosis=expand(
            f"{RESULTS}/kurtosis/{{{{model}}}}/layer-{{layer}}.parquet",
            layer=range(study.layers),
        ),
        masks=f"{RESULTS}/masks/{{model}}/{study.contrast}.parquet",
    output:
        pdf=f"{RESULTS}/figures/kurtosis_contrast-{{model}}.pdf",
        png=report(
            f"{RESULTS}/figures/kurtosis_contrast-{{model}}.png",
            category="Figures",
            caption="../report/kurtosis_contrast.rst",
            labels={"figure": "kurtosis contrast", "model": "{model}", "suite": ""},
        ),
    log:
        f"{RESULTS}/logs/plot_kurtosis_contrast/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels={key: LABELS[key] for key in ["languages", "models"]},
        threshold=(
            study.mask_sets[study.contrast]["threshold"] if study.contrast else None
        ),
        figure=pick("figures"),
        code=code_version("plot_kurtosis_contrast.py"),
    script:
        "../scripts/plot_kurtosis_contrast.py"


rule plot_drop_heatmap:
    """The paper's Figure 4: drops per mask and benchmark, beside LangSpec-F1."""
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        pdf=f"{RESULTS}/figures/drop_heatmap-{{model}}-{{suite}}.pdf",
        png=report(
            f"{RESULTS}/figures/drop_heatmap-{{model}}-{{suite}}.png",
            category="Figures",
            caption="../report/drop_heatmap.rst",
            labels={"figure": "drops", "model": "{model}", "suite": "{suite}"},
        ),
    log:
        f"{RESULTS}/logs/plot_drop_heatmap/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        figure=pick("figures"),
        code=code_version("plot_drop_heatmap.py"),
    script:
        "../scripts/plot_drop_heatmap.py"


rule plot_transfer:
    """The paper's Figure 6: target-language scores from the identification model to the transfer models."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        pdf=f"{RESULTS}/figures/transfer-{{suite}}.pdf",
        png=report(
            f"{RESULTS}/figures/transfer-{{suite}}.png",
            category="Figures",
            caption="../report/transfer.rst",
            labels={"figure": "transfer", "model": "", "suite": "{suite}"},
        ),
    log:
        f"{RESULTS}/logs/plot_transfer/{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        figure=pick("figures"),
        code=code_version("plot_transfer.py"),
    script:
        "../scripts/plot_transfer.py"


rule plot_random_band:
    """LangSpec-F1 of every method against the band of the random mask sets."""
    input:
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        pdf=f"{RESULTS}/figures/random_band-{{suite}}.pdf",
        png=report(
            f"{RESULTS}/figures/random_band-{{suite}}.png",
            category="Figures",
            caption="../report/random_band.rst",
            labels={"figure": "random band", "model": "", "suite": "{suite}"},
        ),
    log:
        f"{RESULTS}/logs/plot_random_band/{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        figure=pick("figures"),
        code=code_version("plot_random_band.py"),
    script:
        "../scripts/plot_random_band.py"
