# Needs all results; makes results/<study>/provenance.json and .html, and CITATION.bib. Included after all rules that add
# to TABLES and FIGURES.
RECORDS = [
    f"{RESULTS}/{name}"
    for name in ["provenance.json", "provenance.html", "CITATION.bib"]
]
# What the sweeps and the perplexity rest on, where the study has them.
SWEPT = [
    *expand(f"{RESULTS}/sweeps/{{sweep}}.parquet", sweep=SWEEPS),
    *(
        f"{RESULTS}/benchmarks/{FIRST}/{mask_set}/{config['sweeps'][sweep]['suite']}.parquet"
        for sweep in SWEEPS
        for mask_set in study.sweeps.sets_of(sweep)
    ),
    *(
        f"{RESULTS}/masks/{FIRST}/{name}.parquet"
        for name, settings in study.sweeps.sets.items()
        if "neurons" not in settings
    ),
    *(path for name in study.used_variants for path in statistics(FIRST, name)),
]
READ = [
    *([f"{RESULTS}/perplexity.parquet"] if READERS else []),
    *expand(
        f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
        model=READERS,
        lang=study.languages,
    ),
    *expand(
        f"{RESULTS}/perplexity/{{model}}/{{mask_set}}.parquet",
        model=READERS,
        mask_set=[ORIGINAL, *study.perplexity_sets],
    ),
]


rule record_provenance:
    """Versions, models, configuration, code and the hash of every file that the results rest on."""
    input:
        models=expand(f"{RESULTS}/models/{{model}}", model=study.evaluated_models),
        corpora=expand(
            f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet", lang=study.languages
        ),
        relevance=expand(
            f"{RESULTS}/relevance/{FIRST}/{{lang}}/{{shard}}.safetensors",
            lang=study.languages,
            shard=SHARDS,
        ),
        kurtosis=expand(
            f"{RESULTS}/kurtosis/{FIRST}/layer-{{layer}}.parquet",
            layer=range(study.layers),
        ),
        masks=expand(
            f"{RESULTS}/masks/{FIRST}/{{mask_set}}.parquet", mask_set=study.mask_sets
        ),
        answers=rules.score_masks.input,
        scores=rules.score_masks.output,
        stability=[*rules.measure_stability.input, *rules.measure_stability.output],
        sweeps=SWEPT,
        perplexity=READ,
        tables=list(TABLES),
        figures=list(FIGURES),
    output:
        record=f"{RESULTS}/provenance.json",
        overview=report(
            f"{RESULTS}/provenance.html",
            category="Provenance",
            caption="../report/provenance.rst",
            labels={"file": "versions, models and code"},
        ),
    log:
        f"{RESULTS}/logs/record_provenance.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        # A function of the inputs is no trigger: a matter of speed alone makes no new record.
        settings=lambda wildcards, input: config,
        # JSON lines carry no record of their own; they are made anew whenever this code changes.
        code_of_lines={
            "generate_answers": code_version("generate_answers.py"),
            "parse_judgements": code_version("parse_judgements.py"),
        },
        code=code_version("record_provenance.py"),
    script:
        "../scripts/record_provenance.py"


rule write_citation:
    """What to cite: the paper, this software, and what both rest on."""
    input:
        cff="CITATION.cff",
    output:
        bib=report(
            f"{RESULTS}/CITATION.bib",
            category="Provenance",
            caption="../report/citation.rst",
            labels={"file": "citations (BibTeX)"},
        ),
    log:
        f"{RESULTS}/logs/write_citation.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        code=code_version("write_citation.py"),
    script:
        "../scripts/write_citation.py"
