# Needs a model's tokenizer; makes results/<study>/corpora/<model>/<lang>.parquet and, without their documents,
# held_out/<model>/<lang>.parquet (perplexity) and passages/<model>/<benchmark>/<lang>.parquet (continuation questions).
# Documents from the hub are first drawn into a pool: results/<study>/datasets/corpus/<lang>.parquet


rule download_corpus:
    """Download files of a language's data set one by one and keep a sample of their documents."""
    output:
        pool=f"{RESULTS}/datasets/corpus/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/download_corpus/{{lang}}.log",
    benchmark:
        f"{RESULTS}/resources/download_corpus/{{lang}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        pin=lambda wildcards: study.inputs.corpus_files(wildcards.lang),
        corpus=lambda wildcards: pick(
            "corpora.column", "corpora.max_files", "corpora.pool", "corpora.seed"
        ),
        # The files are pinned; only the code that reads and samples them can change the pool.
        code=code_version("crane/corpora/sampling.py", named="crane.corpora.documents"),
    script:
        "../scripts/download_corpus.py"


rule sample_corpus:
    """Sample documents of one language with a seed and cut them into samples of tokens."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        documents=lambda wildcards: study.inputs.made_documents(wildcards.lang),
    output:
        texts=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_corpus/{{model}}/{{lang}}.log",
    conda:
        "../../envs/relevance.yaml"
    params:
        wanted=study.inputs.relevance_sample(),
        files=lambda wildcards: study.inputs.documents(wildcards.lang),
        column=study.inputs.column,
        code=code_version("sample_texts.py"),
    script:
        "../scripts/sample_texts.py"


use rule sample_corpus as sample_held_out with:
    input:
        model=f"{RESULTS}/models/{{model}}",
        used=[f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet"],
        documents=lambda wildcards: study.inputs.made_documents(wildcards.lang),
    output:
        texts=f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_held_out/{{model}}/{{lang}}.log",
    wildcard_constraints:
        model=among(study.perplexity_models),
    params:
        wanted=study.inputs.held_out_sample(),


use rule sample_corpus as sample_passages with:
    input:
        model=f"{RESULTS}/models/{{model}}",
        used=[f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet"],
        documents=lambda wildcards: study.inputs.made_documents(wildcards.lang),
    output:
        texts=f"{RESULTS}/passages/{{model}}/{{benchmark}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_passages/{{model}}/{{benchmark}}/{{lang}}.log",
    wildcard_constraints:
        benchmark=among(study.inputs.continuations()),
    params:
        wanted=lambda wildcards: study.inputs.passage_sample(wildcards.benchmark),
