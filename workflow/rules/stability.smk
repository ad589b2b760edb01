# Needs the shards, the tables of statistics and the masks; makes results/<study>/stability/<model>/<half>.parquet,
# stability.parquet, overlap.parquet, their tables, and figures of them and of the distribution over layers
# Sets chosen from the study's own relevance: a variant's shards are not split here.
CHOSEN = [
    name
    for name in study.by_method("crane", "dispersion", "lape", "lape_matched")
    if not study.variant(name)
]
METHODS = {name: settings["method"] for name, settings in config["mask_sets"].items()}
SHOWN_MASKS = {key: LABELS[key] for key in ["languages", "mask_sets"]}

TABLES += expand(
    f"{RESULTS}/tables/{{table}}.{{form}}", table=["stability", "overlap"], form=FORMS
)
FIGURES += expand(
    f"{RESULTS}/figures/{{figure}}.{{form}}",
    figure=["stability", "overlap", "mask_layers"],
    form=["pdf", "png"],
)


rule reduce_half:
    """Statistics of every neuron from the shards of even or of odd number."""
    input:
        **{
            lang: lambda wildcards, lang=lang: [
                f"{RESULTS}/relevance/{wildcards.model}/{lang}/{shard}.safetensors"
                for shard in study.halves[wildcards.half]
            ]
            for lang in study.languages
        },
    output:
        table=f"{RESULTS}/stability/{{model}}/{{half}}.parquet",
    log:
        f"{RESULTS}/logs/reduce_half/{{model}}/{{half}}.log",
    wildcard_constraints:
        half=among(study.halves),
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        layers=study.layers,
        site=pick("relevance.site"),
        code=code_version("reduce_half.py"),
    script:
        "../scripts/reduce_half.py"


rule measure_stability:
    """Split-half Jaccard, neurons owed to one sample, and overlap of all masks."""
    input:
        masks=expand(
            f"{RESULTS}/masks/{FIRST}/{{mask_set}}.parquet", mask_set=study.mask_sets
        ),
        kurtosis=expand(
            f"{RESULTS}/kurtosis/{FIRST}/layer-{{layer}}.parquet",
            layer=range(study.layers),
        ),
        halves=expand(
            f"{RESULTS}/stability/{FIRST}/{{half}}.parquet", half=study.halves
        ),
    output:
        stability=f"{RESULTS}/stability.parquet",
        overlap=f"{RESULTS}/overlap.parquet",
    log:
        f"{RESULTS}/logs/measure_stability.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        selections={name: study.selection(name) for name in CHOSEN},
        variants=[name for name in study.mask_sets if study.variant(name)],
        groups={name: s["group"] for name, s in study.mask_sets.items()},
        site=pick("relevance.site"),
        code=code_version("measure_stability.py"),
    script:
        "../scripts/measure_stability.py"


rule make_stability_table:
    """Split-half Jaccard of every mask and its neurons owed to one sample."""
    input:
        stability=f"{RESULTS}/stability.parquet",
    output:
        **table_files(
            "stability",
            category="Evidence",
            subcategory="Stability",
            caption="../report/stability.rst",
            labels={
                "result": "stability (table)",
                "model": FIRST,
                "suite": "",
            },
        ),
    log:
        f"{RESULTS}/logs/make_stability_table.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=SHOWN_MASKS,
        shards=pick("corpora.shards"),
        code=code_version("make_stability_table.py"),
    script:
        "../scripts/make_stability_table.py"


rule make_overlap_table:
    """Jaccard index of every pair of masks."""
    input:
        overlap=f"{RESULTS}/overlap.parquet",
    output:
        **table_files(
            "overlap",
            category="Evidence",
            subcategory="Stability",
            caption="../report/overlap.rst",
            labels={
                "result": "overlap (table)",
                "model": FIRST,
                "suite": "",
            },
        ),
    log:
        f"{RESULTS}/logs/make_overlap_table.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=SHOWN_MASKS,
        code=code_version("make_overlap_table.py"),
    script:
        "../scripts/make_overlap_table.py"


rule plot_stability:
    """Split-half Jaccard of every mask, beside its neurons owed to one sample."""
    input:
        stability=f"{RESULTS}/stability.parquet",
    output:
        pdf=f"{RESULTS}/figures/stability.pdf",
        png=report(
            f"{RESULTS}/figures/stability.png",
            category="Evidence",
            subcategory="Stability",
            caption="../report/stability.rst",
            labels={
                "result": "stability",
                "model": FIRST,
                "suite": "",
            },
        ),
    log:
        f"{RESULTS}/logs/plot_stability.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=SHOWN_MASKS,
        methods=METHODS,
        shards=pick("corpora.shards"),
        figure=pick("figures"),
        code=code_version("plot_stability.py"),
    script:
        "../scripts/plot_stability.py"


rule plot_overlap:
    """Jaccard index of every pair of masks, as a matrix."""
    input:
        overlap=f"{RESULTS}/overlap.parquet",
    output:
        pdf=f"{RESULTS}/figures/overlap.pdf",
        png=report(
            f"{RESULTS}/figures/overlap.png",
            category="Evidence",
            subcategory="Stability",
            caption="../report/overlap.rst",
            labels={
                "result": "overlap",
                "model": FIRST,
                "suite": "",
            },
        ),
    log:
        f"{RESULTS}/logs/plot_overlap.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=SHOWN_MASKS,
        figure=pick("figures"),
        code=code_version("plot_overlap.py"),
    script:
        "../scripts/plot_overlap.py"


rule plot_mask_layers:
    """The share of every mask's neurons in each layer."""
    input:
        counts=f"{RESULTS}/tables/mask_counts.csv",
    output:
        pdf=f"{RESULTS}/figures/mask_layers.pdf",
        png=report(
            f"{RESULTS}/figures/mask_layers.png",
            category="Evidence",
            subcategory="Stability",
            caption="../report/mask_layers.rst",
            labels={
                "result": "distribution over layers",
                "model": FIRST,
                "suite": "",
            },
        ),
    log:
        f"{RESULTS}/logs/plot_mask_layers.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=SHOWN_MASKS,
        methods=METHODS,
        figure=pick("figures"),
        code=code_version("plot_mask_layers.py"),
    script:
        "../scripts/plot_mask_layers.py"
