# Needs the identification model's tokenizer; makes results/<study>/corpora/<model>/<lang>.parquet
# Documents of the hub are first drawn into a pool: results/<study>/datasets/corpus/<lang>.parquet
OWN_FILES = config["corpora"]["source"] == "local"


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
        pin=lambda wildcards: study.corpus_files(wildcards.lang),
        corpus=lambda wildcards: pick(
            "corpora.column", "corpora.max_files", "corpora.pool", "corpora.seed"
        ),
        # The files are pinned: only the code that reads and samples them could change the pool.
        code=code_version(
            "crane/corpora/sampling.py", "scripts/crane/corpora/documents.py"
        ),
    script:
        "../scripts/download_corpus.py"


rule sample_corpus:
    """Sample documents of one language with a seed and tokenise them."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        documents=lambda wildcards: [] if OWN_FILES else study.documents(wildcards.lang),
    output:
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_corpus/{{model}}/{{lang}}.log",
    conda:
        "../../envs/relevance.yaml"
    params:
        corpus=pick("corpora.documents", "corpora.max_tokens", "corpora.seed"),
        files=lambda wildcards: study.documents(wildcards.lang),
        column=config["corpora"]["column"] if OWN_FILES else "text",
        code=code_version("sample_corpus.py"),
    script:
        "../scripts/sample_corpus.py"
