# Needs a model and its corpora; makes one file of statistics per shard, then one table per layer:
# results/<study>/relevance/<model>/<lang>/<shard>.safetensors, results/<study>/kurtosis/<model>/layer-<k>.parquet;
# of a variant of the relevance (relevance_variants): relevance-<name>/ and kurtosis-<name>/;
# of half of the shards: results/<study>/stability/<model>/<half>.parquet


rule attribute_relevance:
    """AttnLRP relevance of every neuron on one shard, reduced to moments and LAPE counters in one pass."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    output:
        shard=f"{RESULTS}/relevance{{variant}}/{{model}}/{{lang}}/{{shard}}.safetensors",
    log:
        f"{RESULTS}/logs/attribute_relevance/{{model}}{{variant}}/{{lang}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/resources/attribute_relevance/{{model}}{{variant}}/{{lang}}/{{shard}}.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        batch_size=config["relevance"]["batch_size"],
        gpu=1,
        models_in_memory=1,
    params:
        relevance=lambda wildcards: study.masks.relevance(wildcards.variant),
        shards=pick("corpora.shards"),
        code=code_version("attribute_relevance.py"),
    script:
        "../scripts/attribute_relevance.py"


rule reduce_kurtosis:
    """Merge one layer of all shards (exactly) and score how concentrated each neuron's relevance is."""
    input:
        **{
            lang: expand(
                f"{RESULTS}/relevance{{{{variant}}}}/{{{{model}}}}/{lang}/{{shard}}.safetensors",
                shard=SHARDS,
            )
            for lang in study.languages
        },
    output:
        table=f"{RESULTS}/kurtosis{{variant}}/{{model}}/layer-{{layer}}.parquet",
    log:
        f"{RESULTS}/logs/reduce_kurtosis/{{model}}{{variant}}/{{layer}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        layers=lambda wildcards: [int(wildcards.layer)],
        site=pick("relevance.site"),
        code=code_version("reduce_kurtosis.py"),
    script:
        "../scripts/reduce_kurtosis.py"


rule reduce_half:
    """Statistics of every neuron from the shards of even or of odd number."""
    input:
        **{
            lang: lambda wildcards, lang=lang: [
                f"{RESULTS}/relevance/{wildcards.model}/{lang}/{shard}.safetensors"
                for shard in study.inputs.halves[wildcards.half]
            ]
            for lang in study.languages
        },
    output:
        table=f"{RESULTS}/stability/{{model}}/{{half}}.parquet",
    log:
        f"{RESULTS}/logs/reduce_half/{{model}}/{{half}}.log",
    wildcard_constraints:
        half=among(study.inputs.halves),
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        layers=list(range(study.layers)),
        site=pick("relevance.site"),
        code=code_version("reduce_kurtosis.py"),
    script:
        "../scripts/reduce_kurtosis.py"
