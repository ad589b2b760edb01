# Needs all results; makes results/<study>/provenance.json and .html, and CITATION.bib
SCORED = [f"{RESULTS}/{name}.parquet" for name in ["scores", "langspec_f1"]]
SWEPT = [
    *expand(f"{RESULTS}/sweeps/{{sweep}}.parquet", sweep=study.masks.sweeps.points),
    *(path for sweep in study.masks.sweeps.points for path in swept_answers(sweep)),
    *mask_files(study.masks.with_neurons()),
    *(path for name in study.masks.used_variants for path in statistics(FIRST, name)),
]
READ = [
    *answers(study.perplexity_models, [ORIGINAL, *study.perplexity_sets], [PERPLEXITY]),
    *expand(
        f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
        model=study.perplexity_models,
        lang=study.languages,
    ),
    *([f"{RESULTS}/perplexity.parquet"] if study.perplexity_models else []),
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
        kurtosis=statistics(FIRST),
        masks=[
            *mask_files(study.masks.shown),
            *mask_files(study.masks.shown, "json"),
        ],
        halves=expand(
            f"{RESULTS}/stability/{FIRST}/{{half}}.parquet", half=study.inputs.halves
        ),
        stability=[f"{RESULTS}/stability.parquet", f"{RESULTS}/overlap.parquet"],
        answers=answers(study.evaluated_models, SETS, study.asked),
        judgements=judged_answers(study.judges.names[:1]),
        scores=SCORED if study.asked else [],
        sweeps=SWEPT,
        perplexity=READ,
        tables=outputs.table_files(study),
        figures=outputs.figure_files(study),
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
        # Of these times Snakemake compares the oldest of a job with the youngest of its inputs: that of another mask set
        # where other sets share a job than before. All is up to date when this rule runs, so all get its time.
        receipts=lambda wildcards, input: [
            path
            for model in study.evaluated_models
            for mask_sets in evaluations.jobs(study, model)
            for path in receipts(model, mask_sets)
        ],
        # JSON lines carry no record of their own; they are made anew whenever this code changes.
        code_of_lines={
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
