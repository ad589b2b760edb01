# Needs all results; makes results/<study>/provenance.json and .html, and CITATION.bib
SCORED = [
    f"{RESULTS}/{name}.parquet" for name in ["scores", "langspec_f1", "contrasts"]
]
SWEPT = [
    *expand(f"{RESULTS}/sweeps/{{sweep}}.parquet", sweep=study.masks.sweeps.points),
    *(path for sweep in study.masks.sweeps.points for path in swept_answers(sweep)),
    *mask_files(study.masks.with_neurons()),
    *expand(
        f"{RESULTS}/donors/{FIRST}/{{seed}}.safetensors",
        seed=study.masks.resampled(study.masks.every),
    ),
    *(path for name in study.masks.used_variants for path in statistics(FIRST, name)),
]
READ = [
    *answers(study.perplexity_models, [ORIGINAL, *study.perplexity_sets], [PERPLEXITY]),
    *expand(
        f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
        model=study.perplexity_models,
        lang=study.languages,
    ),
    *(
        f"{RESULTS}/{name}.parquet"
        for name in ["perplexity", "perplexity_contrasts"]
        if study.perplexity_models
    ),
]


rule record_provenance:
    """Record versions, models, configuration, code and the hash of every file that the results depend on."""
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
        kurtosis=statistics(FIRST),
        masks=[
            *mask_files(study.masks.shown),
            *mask_files(study.masks.shown, "json"),
        ],
        halves=expand(
            f"{RESULTS}/stability/{FIRST}/{{half}}.parquet", half=study.inputs.halves
        ),
        stability=[
            f"{RESULTS}/stability.parquet",
            f"{RESULTS}/overlap.parquet",
            *SELECTION_NULL.values(),
        ],
        answers=answers(study.evaluated_models, SETS, study.asked),
        judgements=judged_answers(study.judges.names[:1]),
        scores=SCORED if study.asked else [],
        sweeps=SWEPT,
        perplexity=READ,
        sampled=list(SAMPLED_NULL.values()),
        calibration=(
            [f"{RESULTS}/effects/{FIRST}.parquet", f"{RESULTS}/calibration.parquet"]
            if study.calibration
            else []
        ),
        steering=[f"{RESULTS}/steering.parquet"] if study.steering else [],
        tables=outputs.table_files(study),
        figures=outputs.figure_files(study),
        explorer=outputs.explorer_files(study),
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
        # A function of the inputs does not trigger a rerun: a change of speed settings alone makes no new record.
        settings=lambda wildcards, input: config,
        # Snakemake compares the oldest receipt of a job with its newest input, which may belong to another mask set if
        # the sets were grouped into other jobs before. All receipts are up to date here, so all get this rule's time.
        receipts=lambda wildcards, input: [
            path
            for model in study.evaluated_models
            for mask_sets in evaluations.jobs(study, model)
            for path in receipts(model, mask_sets)
        ],
        # JSON lines carry no provenance; they are made again whenever this code changes.
        code_of_lines={
            "parse_judgements": code_version("parse_judgements.py"),
        },
        code=code_version("record_provenance.py"),
    script:
        "../scripts/record_provenance.py"


rule write_citation:
    """Write what to cite: the paper, this software, and the methods that both use."""
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
