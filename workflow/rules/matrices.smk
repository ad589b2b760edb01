# Mask language by language. Needs the scores; makes tables/matrix-<model>-<suite>.* (drops).
# Needs (section perplexity) models, corpora and mask sets; makes results/<study>/held_out/<model>/<lang>.parquet,
# perplexity/<model>/<mask_set>.parquet, perplexity.parquet, tables/perplexity-<model>.*, figures/perplexity-<model>.*
PERPLEXITY = config.get("perplexity")
READERS = study.perplexity_models
TABLES += expand(
    f"{RESULTS}/tables/matrix-{{model}}-{{suite}}.{{form}}",
    model=study.evaluated_models,
    suite=[*SUITES, OPEN_SUITE],
    form=FORMS,
)
TABLES += expand(
    f"{RESULTS}/tables/perplexity-{{model}}.{{form}}",
    model=READERS,
    form=FORMS,
)
FIGURES += expand(
    f"{RESULTS}/figures/perplexity-{{model}}.{{form}}",
    model=READERS,
    form=["pdf", "png"],
)


rule tabulate_drops:
    """Drops of every mask on every benchmark of a suite, with intervals."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table_files(
            "matrix-{model}-{suite}",
            category="Tables",
            caption="../report/matrix.rst",
            labels={"table": "matrix-{model}-{suite}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_drops/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        resamples=pick("scores.resamples"),
        code=code_version("tabulate_drops.py"),
    script:
        "../scripts/tabulate_drops.py"


rule sample_held_out:
    """Sample documents behind the relevance sample in the same order, and tokenise them."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        corpus=f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet",
        documents=lambda wildcards: [] if OWN_FILES else study.documents(wildcards.lang),
    output:
        documents=f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_held_out/{{model}}/{{lang}}.log",
    wildcard_constraints:
        model=among(READERS),
    conda:
        "../../envs/relevance.yaml"
    params:
        held_out=lambda wildcards: pick("perplexity.documents", "perplexity.max_tokens"),
        seed=pick("corpora.seed"),
        files=lambda wildcards: study.documents(wildcards.lang),
        column=config["corpora"]["column"] if OWN_FILES else "text",
        code=code_version("sample_held_out.py"),
    script:
        "../scripts/sample_held_out.py"


rule measure_perplexity:
    """Log-likelihood of the held-out documents of all languages under every language's mask."""
    input:
        **{
            lang: f"{RESULTS}/held_out/{{model}}/{lang}.parquet"
            for lang in study.languages
        },
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
        model=among(READERS),
    conda:
        f"../../envs/{EVALUATION}.yaml"
    resources:
        batch_size=PERPLEXITY["batch_size"] if PERPLEXITY else 1,
        gpu=config["evaluation"]["gpus"],
        models_in_memory=1,
    params:
        languages=study.languages,
        intervention=lambda wildcards: study.intervention(wildcards.mask_set),
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("measure_perplexity.py"),
    script:
        "../scripts/measure_perplexity.py"


rule score_perplexity:
    """Perplexity of every mask on every language's texts, with paired bootstrap intervals over documents."""
    input:
        documents=expand(
            f"{RESULTS}/perplexity/{{model}}/{{mask_set}}.parquet",
            model=READERS,
            mask_set=[ORIGINAL, *study.perplexity_sets],
        ),
    output:
        table=f"{RESULTS}/perplexity.parquet",
    log:
        f"{RESULTS}/logs/score_perplexity.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        mask_sets=study.groups(study.perplexity_sets),
        scores=pick("scores.resamples", "scores.seed"),
        code=code_version("score_perplexity.py"),
    script:
        "../scripts/score_perplexity.py"


rule tabulate_perplexity:
    """Mask language by text language: perplexity as its ratio to the unmasked model's."""
    input:
        table=f"{RESULTS}/perplexity.parquet",
    output:
        **table_files(
            "perplexity-{model}",
            category="Tables",
            caption="../report/perplexity.rst",
            labels={"table": "perplexity-{model}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_perplexity/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        resamples=pick("scores.resamples"),
        code=code_version("tabulate_perplexity.py"),
    script:
        "../scripts/tabulate_perplexity.py"


rule plot_perplexity:
    """Mask language by text language, one heatmap per mask set."""
    input:
        table=f"{RESULTS}/perplexity.parquet",
    output:
        pdf=f"{RESULTS}/figures/perplexity-{{model}}.pdf",
        png=report(
            f"{RESULTS}/figures/perplexity-{{model}}.png",
            category="Figures",
            caption="../report/perplexity.rst",
            labels={"figure": "perplexity", "model": "{model}", "suite": ""},
        ),
    log:
        f"{RESULTS}/logs/plot_perplexity/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        figure=pick("figures"),
        code=code_version("plot_perplexity.py"),
    script:
        "../scripts/plot_perplexity.py"
