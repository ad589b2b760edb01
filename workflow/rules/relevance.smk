# Needs a model and its corpora; makes one file of statistics per shard, then one table per layer:
# results/<study>/relevance/<model>/<lang>/<shard>.safetensors, results/<study>/kurtosis/<model>/layer-<k>.parquet
SHARDS = range(config["corpora"]["shards"])


rule attribute_relevance:
    """AttnLRP relevance of every neuron on one shard, reduced to moments and LAPE counters in one pass."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    output:
        shard=f"{RESULTS}/relevance/{{model}}/{{lang}}/{{shard}}.safetensors",
    log:
        f"{RESULTS}/logs/attribute_relevance/{{model}}/{{lang}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/resources/attribute_relevance/{{model}}/{{lang}}/{{shard}}.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        batch_size=config["relevance"]["batch_size"],
        gpu=1,
        models_in_memory=1,
    params:
        relevance=pick(
            *(
                f"relevance.{key}"
                for key in [
                    "rules",
                    "objective",
                    "aggregate",
                    "site",
                    "skip_first",
                    "dtype",
                ]
            )
        ),
        shards=pick("corpora.shards"),
        code=code_version("attribute_relevance.py"),
    script:
        "../scripts/attribute_relevance.py"


rule reduce_kurtosis:
    """Merge one layer of all shards (exactly) and score how concentrated each neuron's relevance is."""
    input:
        **{
            lang: expand(
                f"{RESULTS}/relevance/{{{{model}}}}/{lang}/{{shard}}.safetensors",
                shard=SHARDS,
            )
            for lang in study.languages
        },
    output:
        table=f"{RESULTS}/kurtosis/{{model}}/layer-{{layer}}.parquet",
    log:
        f"{RESULTS}/logs/reduce_kurtosis/{{model}}/{{layer}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        site=pick("relevance.site"),
        code=code_version("reduce_kurtosis.py"),
    script:
        "../scripts/reduce_kurtosis.py"
