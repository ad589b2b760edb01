# Needs the tables of statistics; makes results/<study>/masks/<model>/<mask_set>.parquet and its summary (.json)
MASKS = f"{RESULTS}/masks/{{model}}/{{mask_set}}"
KURTOSIS = statistics("{model}")


rule select_neurons:
    """CRANE and other statistics of relevance: the neurons that stand out in one language."""
    input:
        kurtosis=lambda wildcards: statistics(
            wildcards.model, study.variant(wildcards.mask_set)
        ),
        match=matched_set,
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/select_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.chosen_by("crane", "dispersion")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        selection=lambda wildcards: study.selection(wildcards.mask_set),
        languages=study.languages,
        site=pick("relevance.site"),
        code=code_version("select_neurons.py"),
    script:
        "../scripts/select_neurons.py"


rule select_lape_neurons:
    """LAPE: the neurons whose activation probability has the lowest entropy over languages."""
    input:
        kurtosis=KURTOSIS,
        match=matched_set,
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/select_lape_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.chosen_by("lape", "lape_matched")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        selection=lambda wildcards: study.selection(wildcards.mask_set),
        languages=study.languages,
        code=code_version("select_lape_neurons.py"),
    script:
        "../scripts/select_lape_neurons.py"


rule draw_random_neurons:
    """Random neurons, as many per language and layer as the matched mask set has."""
    input:
        match=matched_set,
        kurtosis=f"{RESULTS}/kurtosis/{{model}}/layer-0.parquet",
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/draw_random_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.chosen_by("random")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        seed=lambda wildcards: study.every_set[wildcards.mask_set]["seed"],
        code=code_version("draw_random_neurons.py"),
    script:
        "../scripts/draw_random_neurons.py"


rule import_neurons:
    """Masks from a file: LAPE's published lists, or a mask set of another study."""
    input:
        file=lambda wildcards: study.selection(wildcards.mask_set)["file"],
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    log:
        f"{RESULTS}/logs/import_neurons/{{model}}/{{mask_set}}.log",
    wildcard_constraints:
        mask_set=among(study.chosen_by("import")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        selection=lambda wildcards: study.selection(wildcards.mask_set),
        languages=study.languages,
        shape=shape,
        code=code_version("import_neurons.py"),
    script:
        "../scripts/import_neurons.py"
