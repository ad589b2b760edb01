# The demo's texts and models. Makes results/<study>/generated/<lang>/*.jsonl and results/<study>/models/<model>/
DEMO_TEXTS = ["training", "documents", "benchmark", "questions"]


rule generate_demo_data:
    """Generate one language's texts about the demo's world: training, identification, benchmark, open questions."""
    input:
        templates="resources/demo/{lang}.yaml",
    output:
        **{name: f"{RESULTS}/generated/{{lang}}/{name}.jsonl" for name in DEMO_TEXTS},
    log:
        f"{RESULTS}/logs/generate_demo_data/{{lang}}.log",
    localrule: True
    conda:
        "../../envs/relevance.yaml"
    params:
        data=lambda wildcards: pick("demo.data"),
        code=code_version("generate_demo_data.py"),
    script:
        "../scripts/generate_demo_data.py"


rule train_demo_model:
    """Train the demo's base model, tokenizer included."""
    input:
        training=expand(
            f"{RESULTS}/generated/{{lang}}/training.jsonl", lang=study.languages
        ),
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/train_demo_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/train_demo_model/{{model}}.tsv"
    wildcard_constraints:
        model=among(study.models_of("train_demo")),
    conda:
        "../../envs/relevance.yaml"
    threads: 2
    params:
        training=lambda wildcards: {
            **pick("demo.pretraining"),
            "layers": pick(f"models.{wildcards.model}.layers"),
            "intermediate_size": pick(f"models.{wildcards.model}.intermediate_size"),
        },
        code=code_version("train_demo_model.py"),
    script:
        "../scripts/train_demo_model.py"


rule finetune_demo_model:
    """Train the demo's chat model from its base model."""
    input:
        base=lambda wildcards: f"{RESULTS}/models/{study.models_of('train_demo')[0]}",
        training=expand(
            f"{RESULTS}/generated/{{lang}}/training.jsonl", lang=study.languages
        ),
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    log:
        f"{RESULTS}/logs/finetune_demo_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/finetune_demo_model/{{model}}.tsv"
    wildcard_constraints:
        model=among(study.models_of("finetune_demo")),
    conda:
        "../../envs/relevance.yaml"
    threads: 2
    params:
        training=lambda wildcards: pick("demo.finetuning"),
        code=code_version("finetune_demo_model.py"),
    script:
        "../scripts/finetune_demo_model.py"
