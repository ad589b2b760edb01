# Needs the results; draws every figure as PDF and PNG: results/<study>/figures/<name>.{pdf,png}
# All rules share one script, which calls `function` with the input tables, the wildcards and the params that it takes.


rule plot_transfer:
    """The paper's Figure 6: target-language scores from the identification model to the transfer models."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        **figure(
            "transfer-{suite}",
            caption="../report/transfer.rst",
            **among_figures("transfer", model=""),
        ),
    log:
        f"{RESULTS}/logs/plot_transfer/{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **drawn_by("transfer.transfer"),
        labels=LABELS,
        style=pick("figures"),
    script:
        "../scripts/plot.py"


# The paper's Figure 4: drops per mask and benchmark, next to LangSpec-F1.
use rule plot_transfer as plot_drop_heatmap with:
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **figure(
            "drop_heatmap-{model}-{suite}",
            caption="../report/drop_heatmap.rst",
            **among_figures("drops"),
        ),
    log:
        f"{RESULTS}/logs/plot_drop_heatmap/{{model}}-{{suite}}.log",
    params:
        **drawn_by("drops.drop_heatmap"),


# LangSpec-F1 of every method against the band of the random mask sets.
use rule plot_transfer as plot_random_band with:
    input:
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **figure(
            "random_band-{suite}",
            caption="../report/random_band.rst",
            **among_figures("random band", model=""),
        ),
    log:
        f"{RESULTS}/logs/plot_random_band/{{suite}}.log",
    params:
        **drawn_by("random_band.random_band"),


# Judge scores per mask and language, with intervals over questions.
use rule plot_transfer as plot_judge_scores with:
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        **figure(
            "judge_scores-{model}",
            caption="../report/judge_scores.rst",
            **among_figures("judge scores", suite=OPEN_SUITE),
        ),
    log:
        f"{RESULTS}/logs/plot_judge_scores/{{model}}.log",
    params:
        **drawn_by("judge_scores.judge_scores"),


# The paper's Figure 3: kurtosis under one language against the others.
use rule plot_transfer as plot_kurtosis_contrast with:
    input:
        kurtosis=statistics("{model}"),
        masks=f"{RESULTS}/masks/{{model}}/{study.masks.contrast}.parquet",
    output:
        **figure(
            "kurtosis_contrast-{model}",
            caption="../report/kurtosis_contrast.rst",
            **among_figures("kurtosis contrast", suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_kurtosis_contrast/{{model}}.log",
    params:
        **drawn_by("kurtosis_contrast.kurtosis_contrast"),
        labels={key: LABELS[key] for key in ["languages", "models"]},
        threshold=study.masks.shown.get(study.masks.contrast, {}).get("threshold"),


# Mask language by text language, one heatmap per mask set.
use rule plot_transfer as plot_perplexity with:
    input:
        perplexity=f"{RESULTS}/perplexity.parquet",
    output:
        **figure(
            "perplexity-{model}",
            caption="../report/perplexity.rst",
            **among_figures("perplexity", suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_perplexity/{{model}}.log",
    params:
        **drawn_by("perplexity.perplexity_heatmap"),


# LangSpec-F1 and drops along a sweep.
use rule plot_transfer as plot_sweep with:
    input:
        points=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    output:
        **figure(
            "sweep_{sweep}",
            caption="../report/sweep_figure.rst",
            **among_figures("sweep: {sweep}", model=FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_sweep/{{sweep}}.log",
    params:
        **drawn_by("sweeps.sweep_figure"),
        suite=lambda wildcards: config["sweeps"][wildcards.sweep]["suite"],


# What a mask costs its own language against what it costs the others, along the budgets.
use rule plot_transfer as plot_equal_damage with:
    input:
        points=f"{RESULTS}/sweeps/budget.parquet",
    output:
        **figure(
            "equal_damage",
            caption="../report/equal_damage.rst",
            **among_figures("equal damage", model=FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_equal_damage.log",
    params:
        **drawn_by("equal_damage.equal_damage"),
        suite=lambda wildcards: config["sweeps"]["budget"]["suite"],


# By how much two languages' masks each hurt their own language more than the other one.
use rule plot_transfer as plot_double_dissociation with:
    input:
        contrasts=contrasts(),
    output:
        **figure(
            "double_dissociation",
            caption="../report/double_dissociation.rst",
            **among_evidence("double dissociation", "Selectivity", model="", suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_double_dissociation.log",
    params:
        **drawn_by("double_dissociation.double_dissociation"),


# Split-half Jaccard of every mask, and the share of its neurons dominated by one sample.
use rule plot_transfer as plot_stability with:
    input:
        stability=f"{RESULTS}/stability.parquet",
    output:
        **figure(
            "stability",
            caption="../report/stability.rst",
            **among_evidence("stability", "Stability", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_stability.log",
    params:
        **drawn_by("stability.stability_figure"),
        labels=MASK_LABELS,
        methods=study.masks.methods(),
        shards=pick("corpora.shards"),


# Rank correlation of every criterion with the measured effects, and the ceiling of the measurement.
use rule plot_transfer as plot_calibration with:
    input:
        calibration=f"{RESULTS}/calibration.parquet",
    output:
        **figure(
            "calibration",
            caption="../report/calibration.rst",
            **among_evidence("calibration", "Calibration", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_calibration.log",
    params:
        **drawn_by("calibration.calibration_figure"),
        labels=MASK_LABELS,
        measured=study.calibration,


# D of every method along its budgets.
use rule plot_transfer as plot_methods with:
    input:
        contrasts=contrasts(),
        summaries=mask_files(study.masks.shown, "json"),
    output:
        **figure(
            "methods",
            caption="../report/methods.rst",
            **among_evidence("all methods", "Methods", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_methods.log",
    params:
        **drawn_by("comparison.methods_figure"),
        **study.comparison,
        groups=study.masks.groups(list(study.masks.shown)),


# Languages of the answers of the steered model, pair by pair.
use rule plot_transfer as plot_steering with:
    input:
        steering=f"{RESULTS}/steering.parquet",
    output:
        **figure(
            "steering",
            caption="../report/steering.rst",
            **among_evidence("steering", "Steering", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_steering.log",
    params:
        **drawn_by("steering.steering_figure"),
        how=study.steering.described(),


# Jaccard index of every pair of masks, as a matrix.
use rule plot_transfer as plot_overlap with:
    input:
        overlap=f"{RESULTS}/overlap.parquet",
    output:
        **figure(
            "overlap",
            caption="../report/overlap.rst",
            **among_evidence("overlap", "Stability", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_overlap.log",
    params:
        **drawn_by("stability.overlap_figure"),
        labels=MASK_LABELS,


# The share of every mask's neurons in each layer.
use rule plot_transfer as plot_mask_layers with:
    input:
        masks=mask_files(study.masks.selections),
    output:
        **figure(
            "mask_layers",
            caption="../report/mask_layers.rst",
            **among_evidence("distribution over layers", "Stability", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/plot_mask_layers.log",
    params:
        **drawn_by("stability.mask_layers"),
        labels=MASK_LABELS,
        methods=study.masks.methods(),
        layers=study.layers,


# The paper's numbers next to this run's, cell by cell.
use rule plot_transfer as plot_published with:
    input:
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
        paper_scores="resources/published/scores.csv",
        paper_f1="resources/published/langspec_f1.csv",
    output:
        **figure(
            "published-{model}-{suite}",
            caption="../report/published.rst",
            **among_evidence("paper and this run", "Paper and this run"),
        ),
    log:
        f"{RESULTS}/logs/plot_published/{{model}}-{{suite}}.log",
    params:
        **drawn_by("published.published_figure"),
        published=config.get("published", {}),


# `use rule` does not take over that a rule is local.
workflow.localrules(
    *(each.name for each in workflow.rules if each.name.startswith("plot_"))
)
