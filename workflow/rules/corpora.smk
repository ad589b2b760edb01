# Needs the identification model's tokenizer; makes results/<study>/corpora/<model>/<lang>.parquet
GENERATED = config["corpora"]["source"] == "generated"


rule sample_corpus:
    """Sample documents of one language with a seed and tokenise them."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        documents=f"{RESULTS}/generated/{{lang}}/documents.jsonl" if GENERATED else [],
    output:
        corpus=f"{RESULTS}/corpora/{{model}}/{{lang}}.parquet",
    params:
        corpus=pick("corpora.documents", "corpora.max_tokens", "corpora.seed"),
        files=lambda wildcards: (
            f"{RESULTS}/generated/{wildcards.lang}/documents.jsonl"
            if GENERATED
            else config["corpora"]["files"][wildcards.lang]
        ),
        column="text" if GENERATED else config["corpora"].get("column"),
        code=code_version("sample_corpus.py"),
    log:
        f"{RESULTS}/logs/sample_corpus/{{model}}/{{lang}}.log",
    script:
        "../scripts/sample_corpus.py"
