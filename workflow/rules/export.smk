# Needs a mask set and a model; makes, on request only, results/<study>/exports/<mask_set>.pth (LAPE's format) and
# results/<study>/exports/<model>/<mask_set>/<lang>/ (a masked checkpoint)


rule export_neurons:
    """Export a mask set in LAPE's published format; the JSON file names the languages of its lists."""
    input:
        neurons=f"{RESULTS}/masks/{FIRST}/{{mask_set}}.parquet",
    output:
        pth=f"{RESULTS}/exports/{{mask_set}}.pth",
        about=f"{RESULTS}/exports/{{mask_set}}.json",
    log:
        f"{RESULTS}/logs/export_neurons/{{mask_set}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        code=code_version("export_neurons.py"),
    script:
        "../scripts/export_neurons.py"


rule export_masked_model:
    """Export a model with one language's neurons masked, as a checkpoint that transformers and vLLM load."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        neurons=lambda wildcards: neuron_files([wildcards.mask_set])[0],
    output:
        model=directory(f"{RESULTS}/exports/{{model}}/{{mask_set}}/{{lang}}"),
    log:
        f"{RESULTS}/logs/export_masked_model/{{model}}/{{mask_set}}/{{lang}}.log",
    wildcard_constraints:
        mask_set=among(study.masks.every),
    conda:
        "../../envs/relevance.yaml"
    resources:
        models_in_memory=1,
    params:
        intervention=lambda wildcards: study.masks.intervention(wildcards.mask_set),
        code=code_version("export_masked_model.py"),
    script:
        "../scripts/export_masked_model.py"
