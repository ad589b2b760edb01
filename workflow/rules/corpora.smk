# Needs the identification model's tokenizer; makes results/<study>/corpora/<model>/<lang>.parquet
GENERATED = config["corpora"]["source"] == "generated"


rule sample_corpus:
    """Sample documents of one language with a seed and tokenise them."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        documents=lambda wildcards: study.documents(wildcards.lang) if GENERATED else [],
    output:
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/sample_corpus/{{model}}/{{lang}}.log",
    conda:
        "../../envs/relevance.yaml"
    params:
        corpus=pick("corpora.documents", "corpora.max_tokens", "corpora.seed"),
        files=lambda wildcards: study.documents(wildcards.lang),
        column="text" if GENERATED else config["corpora"].get("column"),
        code=code_version("sample_corpus.py"),
    script:
        "../scripts/sample_corpus.py"
