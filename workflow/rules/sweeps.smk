# Needs the mask sets of the sweeps (section sweeps) and their answers; makes results/<study>/sweeps/<sweep>.parquet,
# tables/sweep_<sweep>.* and figures/sweep_<sweep>.*. Masks and answers come from the rules of all other mask sets.
SWEEPS = study.sweeps.points
TABLES += expand(
    f"{RESULTS}/tables/sweep_{{sweep}}.{{form}}",
    sweep=SWEEPS,
    form=FORMS,
)
FIGURES += expand(
    f"{RESULTS}/figures/sweep_{{sweep}}.{{form}}", sweep=SWEEPS, form=["pdf", "png"]
)


rule score_sweep:
    """LangSpec-F1 and drops of a sweep's mask sets; where a setting is chosen, on halves of the questions."""
    input:
        benchmarks=lambda wildcards: expand(
            f"{RESULTS}/benchmarks/{FIRST}/{{mask_set}}/{{suite}}.parquet",
            mask_set=[ORIGINAL, *study.sweeps.sets_of(wildcards.sweep)],
            suite=config["sweeps"][wildcards.sweep]["suite"],
        ),
        summaries=lambda wildcards: sorted(
            {
                f"{RESULTS}/masks/{FIRST}/{study.neurons_of(name)}.json"
                for name in study.sweeps.sets_of(wildcards.sweep)
            }
        ),
    output:
        table=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    log:
        f"{RESULTS}/logs/score_sweep/{{sweep}}.log",
    wildcard_constraints:
        sweep=among(SWEEPS),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        points=lambda wildcards: study.sweep_points(wildcards.sweep),
        halves=lambda wildcards: wildcards.sweep in ["ablation", "threshold"],
        benchmarks=lambda wildcards: study.scored_benchmarks(
            config["sweeps"][wildcards.sweep]["suite"]
        ),
        scores=pick("scores.resamples", "scores.seed"),
        code=code_version("score_sweep.py"),
    script:
        "../scripts/score_sweep.py"


rule tabulate_sweep:
    """A sweep's points, as CSV, Markdown, LaTeX and text."""
    input:
        table=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    output:
        **table_files(
            "sweep_{sweep}",
            category="Tables",
            caption="../report/sweep_table.rst",
            labels={"table": "sweep: {sweep}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_sweep/{{sweep}}.log",
    wildcard_constraints:
        sweep=among(SWEEPS),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        suite=lambda wildcards: config["sweeps"][wildcards.sweep]["suite"],
        resamples=pick("scores.resamples"),
        code=code_version("tabulate_sweep.py"),
    script:
        "../scripts/tabulate_sweep.py"


rule plot_sweep:
    """LangSpec-F1 and drops along a sweep."""
    input:
        table=f"{RESULTS}/sweeps/{{sweep}}.parquet",
    output:
        pdf=f"{RESULTS}/figures/sweep_{{sweep}}.pdf",
        png=report(
            f"{RESULTS}/figures/sweep_{{sweep}}.png",
            category="Figures",
            caption="../report/sweep_figure.rst",
            labels={"figure": "sweep: {sweep}", "model": FIRST, "suite": ""},
        ),
    log:
        f"{RESULTS}/logs/plot_sweep/{{sweep}}.log",
    wildcard_constraints:
        sweep=among(SWEEPS),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        suite=lambda wildcards: config["sweeps"][wildcards.sweep]["suite"],
        figure=pick("figures"),
        code=code_version("plot_sweep.py"),
    script:
        "../scripts/plot_sweep.py"
