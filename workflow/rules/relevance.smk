# Needs a model and its corpora; makes one file of statistics per shard, then one table per layer:
# results/<study>/relevance/<model>/<lang>/<shard>.safetensors, results/<study>/kurtosis/<model>/layer-<k>.parquet;
# for a variant of the relevance (relevance_variants): relevance-<name>/ and kurtosis-<name>/;
# for each half of the shards: results/<study>/stability/<model>/<half>.parquet;
# where a mask set needs more than the moments: <shard>.accumulators.safetensors beside each shard, and before them, if
# it needs histograms: results/<study>/bin_edges/<model>.safetensors
# The number of shards per job affects speed only; each finished shard is stored in results/<study>/parts/ immediately.
SHARDS_PER_JOB = config["relevance"].get("shards_per_job", len(SHARDS))


ACCUMULATING = "attribute_relevance_accumulating"
RUNS = {
    kind: [v for v in study.masks.variants if bool(study.masks.accumulators(v)) == more]
    for kind, more in (("attribute_relevance", False), (ACCUMULATING, True))
}
"""The relevance runs without and with accumulators: name of their rules -> variants."""


rule freeze_bin_edges:
    """Fix the edges of every neuron's histograms: mean +- 4 standard deviations over some samples of all languages."""
    input:
        model=f"{RESULTS}/models/{FIRST}",
        corpora=expand(
            f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet", lang=study.languages
        ),
    output:
        edges=f"{RESULTS}/bin_edges/{FIRST}.safetensors",
    log:
        f"{RESULTS}/logs/freeze_bin_edges.log",
    benchmark:
        f"{RESULTS}/resources/freeze_bin_edges.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        memory_gb=config["relevance"].get("memory_gb", 0),
        gpu=1,
        models_in_memory=1,
    params:
        relevance=pick("relevance.dtype", "relevance.skip_first"),
        samples=config["relevance"].get("pilot", PILOT_SAMPLES),
        seed=pick("corpora.seed"),
        code=code_version("freeze_bin_edges.py"),
    script:
        "../scripts/freeze_bin_edges.py"


for (kind, variants), (number, first) in product(
    RUNS.items(), enumerate(SHARDS[::SHARDS_PER_JOB])
):
    if variants:

        rule:
            # AttnLRP relevance of every neuron on some shards, reduced to moments and LAPE's counters in one pass; and
            # to accumulators of other methods, if the study has such.
            name:
                profiles.share_resources(
                    workflow, "attribute_relevance", f"{kind}_{number}"
                )
            input:
                model=f"{RESULTS}/models/{{model}}",
                corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
                edges=lambda wildcards: (
                    f"{RESULTS}/bin_edges/{wildcards.model}.safetensors"
                    if study.masks.has_histograms(wildcards.variant)
                    else []
                ),
            output:
                expand(
                    f"{RESULTS}/relevance{{{{variant}}}}/{{{{model}}}}/{{{{lang}}}}/{{shard}}{{ending}}.safetensors",
                    shard=SHARDS[first : first + SHARDS_PER_JOB],
                    ending=(["", ".accumulators"] if kind == ACCUMULATING else [""]),
                ),
            log:
                f"{RESULTS}/logs/attribute_relevance/{{model}}{{variant}}/{{lang}}/{number}.log",
            benchmark:
                f"{RESULTS}/resources/attribute_relevance/{{model}}{{variant}}/{{lang}}/{number}.tsv"
            wildcard_constraints:
                variant=f"({'|'.join(variants)})",
            conda:
                "../../envs/relevance.yaml"
            resources:
                batch_size=config["relevance"].get("batch_size", 0),
                batch_tokens=config["relevance"].get("batch_tokens", BATCH_TOKENS),
                sweep_tokens=config["relevance"].get("sweep_tokens", SWEEP_TOKENS),
                memory_gb=config["relevance"].get("memory_gb", 0),
                # Kept for the explorer on the way; another pass would find them, too.
                top_samples=study.explorer["samples"] if "explorer" in config else 0,
                gpu=1,
                models_in_memory=1,
            params:
                relevance=lambda wildcards: study.masks.relevance(wildcards.variant),
                shards=pick("corpora.shards"),
                store=STORE,
                code=code_version("attribute_relevance.py"),
            script:
                "../scripts/attribute_relevance.py"


rule reduce_kurtosis:
    """Merge all shards exactly, layer by layer, and compute each neuron's kurtosis and other statistics."""
    input:
        **{
            lang: lambda wildcards, lang=lang: shard_files(
                wildcards.model, lang, SHARDS, wildcards.variant
            )
            for lang in study.languages
        },
    output:
        tables=expand(
            f"{RESULTS}/kurtosis{{{{variant}}}}/{{{{model}}}}/layer-{{layer}}.parquet",
            layer=range(study.layers),
        ),
    log:
        f"{RESULTS}/logs/reduce_kurtosis/{{model}}{{variant}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        site=pick("relevance.site"),
        routed_samples=config["relevance"].get("routed_samples", ROUTED_SAMPLES),
        code=code_version("reduce_kurtosis.py"),
    script:
        "../scripts/reduce_kurtosis.py"


rule reduce_half:
    """Compute the statistics of every neuron from the even or the odd shards."""
    input:
        **{
            lang: lambda wildcards, lang=lang: shard_files(
                wildcards.model, lang, study.inputs.halves[wildcards.half]
            )
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
        layers=study.layers,
        site=pick("relevance.site"),
        routed_samples=config["relevance"].get("routed_samples", ROUTED_SAMPLES),
        code=code_version("reduce_half.py"),
    script:
        "../scripts/reduce_half.py"
