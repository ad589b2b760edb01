# Needs the tables of statistics; makes results/<study>/masks/<model>/<mask_set>.parquet and its summary (.json)
MASKS = f"{RESULTS}/masks/{{model}}/{{mask_set}}"
KURTOSIS = expand(f"{RESULTS}/kurtosis/{{{{model}}}}/layer-{{layer}}.parquet", layer=range(study.layers))


# The settings of a mask set that decide its neurons: its label decides nothing.
def selection(wildcards):
    settings = study.mask_sets[wildcards.mask_set]
    return {key: settings[key] for key in sorted(settings.keys() - {"label", "group", "seeds"})}


def matched_set(wildcards):
    match = study.mask_sets[wildcards.mask_set].get("match")
    return f"{RESULTS}/masks/{wildcards.model}/{match}.parquet" if match else []


rule select_neurons:
    """CRANE and other statistics of relevance: the neurons that stand out in one language."""
    input:
        kurtosis=KURTOSIS,
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    wildcard_constraints:
        mask_set=among(study.by_method("crane", "dispersion")),
    params:
        selection=selection,
        languages=study.languages,
        site=pick("relevance.site"),
        code=code_version("select_neurons.py"),
    log:
        f"{RESULTS}/logs/select_neurons/{{model}}/{{mask_set}}.log",
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
    wildcard_constraints:
        mask_set=among(study.by_method("lape", "lape_matched")),
    params:
        selection=selection,
        languages=study.languages,
        code=code_version("select_lape_neurons.py"),
    log:
        f"{RESULTS}/logs/select_lape_neurons/{{model}}/{{mask_set}}.log",
    script:
        "../scripts/select_lape_neurons.py"


rule draw_random_neurons:
    """Random neurons, as many per language and layer as the matched mask set has."""
    input:
        match=matched_set,
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    wildcard_constraints:
        mask_set=among(study.by_method("random")),
    params:
        seed=lambda wildcards: study.mask_sets[wildcards.mask_set]["seed"],
        width=lambda wildcards: pick(f"models.{wildcards.model}.intermediate_size"),
        code=code_version("draw_random_neurons.py"),
    log:
        f"{RESULTS}/logs/draw_random_neurons/{{model}}/{{mask_set}}.log",
    script:
        "../scripts/draw_random_neurons.py"


rule import_neurons:
    """Masks from a file: LAPE's published lists, or a mask set of another study."""
    input:
        file=lambda wildcards: study.mask_sets[wildcards.mask_set]["file"],
    output:
        neurons=f"{MASKS}.parquet",
        summary=f"{MASKS}.json",
    wildcard_constraints:
        mask_set=among(study.by_method("import")),
    params:
        selection=selection,
        languages=study.languages,
        shape=shape,
        code=code_version("import_neurons.py"),
    log:
        f"{RESULTS}/logs/import_neurons/{{model}}/{{mask_set}}.log",
    script:
        "../scripts/import_neurons.py"
