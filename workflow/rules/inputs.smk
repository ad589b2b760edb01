# Models, data sets and files, linked or downloaded. Makes results/<study>/models/<model>/,
# results/<study>/datasets/<dataset>/ and results/<study>/downloads/<first digits of the hash>-<name>


rule download_file:
    """Download a file of masks or questions and verify its SHA-256."""
    output:
        file=f"{RESULTS}/downloads/{{download}}",
    log:
        f"{RESULTS}/logs/download_file/{{download}}.log",
    wildcard_constraints:
        download=among(study.inputs.downloads),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    # No code hash: the SHA-256 determines the file.
    params:
        source=lambda wildcards: study.inputs.downloads[wildcards.download],
    script:
        "../scripts/download_file.py"


rule download_dataset:
    """Download the files of a data set at a pinned revision, with a manifest of them."""
    output:
        dataset=directory(f"{RESULTS}/datasets/{{dataset}}"),
    log:
        f"{RESULTS}/logs/download_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/resources/download_dataset/{{dataset}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        kind="dataset",
        pin=lambda wildcards: pin(f"datasets.{wildcards.dataset}", "files"),
    script:
        "../scripts/download_repository.py"


rule download_model:
    """Download a model at a pinned revision, with a manifest of its files."""
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/download_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/download_model/{{model}}.tsv"
    wildcard_constraints:
        model=among(study.models_of("hub")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        kind="model",
        pin=lambda wildcards: pin(f"models.{wildcards.model}"),
        shape=model_shape,
    script:
        "../scripts/download_repository.py"


rule link_local_model:
    """Link the user's model folder, with a manifest of its files."""
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/link_local_model/{{model}}.log",
    wildcard_constraints:
        model=among(study.models_of("local")),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        path=lambda wildcards: pick(f"models.{wildcards.model}.path"),
        shape=model_shape,
        code=code_version("link_local_model.py"),
    script:
        "../scripts/link_local_model.py"
