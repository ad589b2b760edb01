# Needs relevance shards, statistics, masks and stability; makes the explorer page, results/<study>/explorer.html, from
# results/<study>/top_samples/<model>/<lang>/<shard>.safetensors: each neuron's samples of largest relevance, merged in
# top_samples/<model>/layer-<k>.parquet, and results/<study>/examples/<model>/: relevance token by token on those samples.
# With the section `explorer`, the relevance jobs find the top samples on their way and keep them in
# results/<study>/parts/, whence `find_top_samples` takes them; for a finished study it measures the relevance again.
TOP_SAMPLES = f"{RESULTS}/top_samples/{{model}}"
EXAMPLES = f"{RESULTS}/examples/{{model}}"


rule find_top_samples:
    """Find the samples of a language on which each neuron has the largest relevance, of either sign."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
        shards=expand(
            f"{RESULTS}/relevance/{{{{model}}}}/{{{{lang}}}}/{{shard}}.safetensors",
            shard=SHARDS,
        ),
    output:
        expand(
            f"{TOP_SAMPLES}/{{lang}}/{{shard}}.safetensors",
            shard=SHARDS,
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/find_top_samples/{{model}}/{{lang}}.log",
    benchmark:
        f"{RESULTS}/resources/find_top_samples/{{model}}/{{lang}}.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        batch_size=config["relevance"].get("batch_size", 0),
        batch_tokens=config["relevance"].get("batch_tokens", BATCH_TOKENS),
        sweep_tokens=config["relevance"].get("sweep_tokens", SWEEP_TOKENS),
        memory_gb=config["relevance"].get("memory_gb", 0),
        top_samples=study.explorer["samples"],
        gpu=1,
        models_in_memory=1,
    params:
        relevance=study.masks.relevance(""),
        shards=pick("corpora.shards"),
        samples=study.explorer["samples"],
        store=STORE,
        code=code_version("attribute_relevance.py"),
    script:
        "../scripts/attribute_relevance.py"


rule reduce_top_samples:
    """Merge the top samples of all shards exactly, one table per layer."""
    input:
        **{
            lang: expand(
                f"{TOP_SAMPLES}/{lang}/{{shard}}.safetensors",
                shard=SHARDS,
                allow_missing=True,
            )
            for lang in study.languages
        },
    output:
        tables=expand(
            f"{TOP_SAMPLES}/layer-{{layer}}.parquet",
            layer=range(study.layers),
            allow_missing=True,
        ),
    log:
        f"{RESULTS}/logs/reduce_top_samples/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        languages=study.languages,
        code=code_version("reduce_top_samples.py"),
    script:
        "../scripts/reduce_top_samples.py"


rule attribute_examples:
    """Measure relevance and value, token by token, of the neurons that the page shows on their top samples."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        corpora=expand(
            f"{RESULTS}/corpora/{{{{model}}}}/{{lang}}.parquet", lang=study.languages
        ),
        masks=mask_files(study.explorer["mask_sets"]),
        top=rules.reduce_top_samples.output.tables,
    output:
        examples=f"{EXAMPLES}/examples.parquet",
        texts=f"{EXAMPLES}/texts.parquet",
    log:
        f"{RESULTS}/logs/attribute_examples/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/attribute_examples/{{model}}.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        batch_size=config["relevance"].get("batch_size", 0),
        batch_tokens=config["relevance"].get("batch_tokens", BATCH_TOKENS),
        sweep_tokens=config["relevance"].get("sweep_tokens", SWEEP_TOKENS),
        memory_gb=config["relevance"].get("memory_gb", 0),
        gpu=1,
        models_in_memory=1,
    params:
        relevance=study.masks.relevance(""),
        neurons=study.explorer["neurons"],
        code=code_version("attribute_examples.py"),
    script:
        "../scripts/attribute_examples.py"


rule write_explorer:
    """Write the explorer page: one file that needs no network."""
    input:
        masks=mask_files(study.explorer["mask_sets"]),
        kurtosis=statistics(FIRST),
        halves=expand(
            f"{RESULTS}/stability/{FIRST}/{{half}}.parquet", half=study.inputs.halves
        ),
        top=expand(rules.reduce_top_samples.output.tables, model=FIRST),
        examples=expand(rules.attribute_examples.output.examples, model=FIRST),
        texts=expand(rules.attribute_examples.output.texts, model=FIRST),
        # Measured effects of single neurons, where the study has them.
        effects=lambda wildcards: [
            path
            for path in [f"{RESULTS}/effects/{FIRST}.parquet"]
            if "calibration" in config or Path(path).exists()
        ],
    output:
        page=f"{RESULTS}/explorer.html",
    log:
        f"{RESULTS}/logs/write_explorer.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        explorer={key: study.explorer[key] for key in ("neurons", "tokens")},
        mask_sets=[
            [name, study.masks.shown[name]["label"], study.masks.selection(name)]
            for name in study.explorer["mask_sets"]
        ],
        measured=[n for n in study.explorer["mask_sets"] if n in study.masks.halved],
        languages={
            code: settings["name"] for code, settings in config["languages"].items()
        },
        model=pick(f"models.{FIRST}.label"),
        site=pick("relevance.site"),
        code=code_version(
            "write_explorer.py",
            *(f"explorer/page.{ending}" for ending in ("html", "css", "js")),
        ),
    script:
        "../scripts/write_explorer.py"


rule explorer:
    input:
        f"{RESULTS}/explorer.html",
    localrule: True
