# Needs the statistics tables; makes results/<study>/masks/<model>/<mask_set>.parquet with a summary (.json), and the
# stability of the sets: results/<study>/stability.parquet, overlap.parquet; and, if there are at least as many shards
# as languages, the null of every selection: results/<study>/selection_null.parquet
MASKS = f"{RESULTS}/masks/{{model}}/{{mask_set}}"


rule select_neurons:
    """Select the neurons specific to each language: by relevance (CRANE and others) or by activation (LAPE)."""
    input:
        kurtosis=lambda wildcards: statistics(
            wildcards.model, study.masks.variant(wildcards.mask_set)
        ),
        match=matched_set,
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/select_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.masks.chosen_by(*BY_STATISTICS, "all")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        selection=lambda wildcards: study.masks.selection(wildcards.mask_set),
        languages=study.languages,
        site=pick("relevance.site"),
        code=lambda wildcards: code_version(
            "select_neurons.py",
            methods=[study.masks.every[wildcards.mask_set]["method"]],
        ),
    script:
        "../scripts/select_neurons.py"


for group, seeds in study.masks.drawn():

    rule:
        # Random neurons, as many per language and layer as the matched mask set has; one set per seed. The width of the
        # layers is in any table of statistics, magnitudes are in all.
        name:
            f"draw_random_neurons_{group}"
        input:
            match=f"{RESULTS}/masks/{{model}}/{study.masks.matched_by(next(iter(seeds)))}.parquet",
            kurtosis=statistics(FIRST, study.masks.drawn_from(seeds))[
                : None if study.masks.drawn_alike(seeds) else 1
            ],
        output:
            neurons=expand(
                f"{RESULTS}/masks/{{{{model}}}}/{{mask_set}}.parquet", mask_set=seeds
            ),
            summaries=expand(
                f"{RESULTS}/masks/{{{{model}}}}/{{mask_set}}.json", mask_set=seeds
            ),
        log:
            f"{RESULTS}/logs/draw_random_neurons/{{model}}/{group}.log",
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        params:
            seeds=list(seeds.values()),
            alike=study.masks.drawn_alike(seeds),
            code=code_version("draw_random_neurons.py"),
        script:
            "../scripts/draw_random_neurons.py"


rule import_neurons:
    """Import masks from a file: LAPE's published lists, or a mask set of another study."""
    input:
        file=lambda wildcards: study.masks.selection(wildcards.mask_set)["file"],
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/import_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.masks.chosen_by("import")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        selection=lambda wildcards: study.masks.selection(wildcards.mask_set),
        languages=study.languages,
        shape=model_shape,
        code=code_version("import_neurons.py"),
    script:
        "../scripts/import_neurons.py"


rule measure_stability:
    """Measure split-half Jaccard, neurons dominated by one sample, and the overlap of all masks."""
    input:
        masks=mask_files(study.masks.selections),
        kurtosis=statistics(FIRST),
        halves=expand(
            f"{RESULTS}/stability/{FIRST}/{{half}}.parquet", half=study.inputs.halves
        ),
    output:
        stability=f"{RESULTS}/stability.parquet",
        overlap=f"{RESULTS}/overlap.parquet",
    log:
        f"{RESULTS}/logs/measure_stability.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        selections={name: study.masks.selection(name) for name in study.masks.halved},
        variants=[name for name in study.masks.selections if study.masks.variant(name)],
        groups={name: s["group"] for name, s in study.masks.selections.items()},
        site=pick("relevance.site"),
        code=code_version(
            "measure_stability.py", methods=study.masks.methods_of(study.masks.halved)
        ),
    script:
        "../scripts/measure_stability.py"


rule measure_selection_null:
    """Select by the identical rules from the dealt shards of one language, in place of real languages."""
    input:
        **{
            f"{lang}.{group}": shard_files(FIRST, lang, shards)
            for lang in study.languages
            for group, shards in study.inputs.dealt.items()
        },
        matched=mask_files(dict.fromkeys(study.masks.matched().values())),
    output:
        null=f"{RESULTS}/selection_null.parquet",
    log:
        f"{RESULTS}/logs/measure_selection_null.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        groups=list(study.inputs.dealt),
        selections={name: study.masks.selection(name) for name in study.masks.nulled},
        matched=study.masks.matched(),
        languages=study.languages,
        layers=study.layers,
        site=pick("relevance.site"),
        routed_samples=config["relevance"].get("routed_samples", ROUTED_SAMPLES),
        code=code_version(
            "measure_selection_null.py",
            methods=study.masks.methods_of(study.masks.nulled),
        ),
    script:
        "../scripts/measure_selection_null.py"
