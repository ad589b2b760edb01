# Models as ordinary Hugging Face folders: results/<study>/models/<model>/
# The demo's are trained here on generated texts; others are taken over from a local folder.
DEMO_TEXTS = ["training", "documents", "benchmark", "questions"]


def models_of(source):
    return [name for name, model in config["models"].items() if model["source"] == source]


rule generate_demo_data:
    """Texts of one language about the demo's world: for training, for identification, and to be asked."""
    input:
        templates="resources/demo/{lang}.yaml",
    output:
        **{name: f"{RESULTS}/generated/{{lang}}/{name}.jsonl" for name in DEMO_TEXTS},
    params:
        data=lambda wildcards: pick("demo.data"),
        code=code_version("generate_demo_data.py"),
    log:
        f"{RESULTS}/logs/generate_demo_data/{{lang}}.log",
    script:
        "../scripts/generate_demo_data.py"


rule train_demo_model:
    """Train the demo's base model, tokenizer included."""
    input:
        training=expand(f"{RESULTS}/generated/{{lang}}/training.jsonl", lang=study.languages),
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    wildcard_constraints:
        model=among(models_of("train_demo")),
    params:
        training=lambda wildcards: {
            **pick("demo.pretraining"),
            "layers": pick(f"models.{wildcards.model}.layers"),
            "intermediate_size": pick(f"models.{wildcards.model}.intermediate_size"),
        },
        code=code_version("train_demo_model.py"),
    log:
        f"{RESULTS}/logs/train_demo_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/train_demo_model/{{model}}.tsv"
    threads: 2
    script:
        "../scripts/train_demo_model.py"


rule finetune_demo_model:
    """Train the demo's chat model from its base model."""
    input:
        base=lambda wildcards: f"{RESULTS}/models/{models_of('train_demo')[0]}",
        training=expand(f"{RESULTS}/generated/{{lang}}/training.jsonl", lang=study.languages),
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    wildcard_constraints:
        model=among(models_of("finetune_demo")),
    params:
        training=lambda wildcards: pick("demo.finetuning"),
        code=code_version("finetune_demo_model.py"),
    log:
        f"{RESULTS}/logs/finetune_demo_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/resources/finetune_demo_model/{{model}}.tsv"
    threads: 2
    script:
        "../scripts/finetune_demo_model.py"


rule link_local_model:
    """Take over a model folder of the user's by links, with a manifest of its files."""
    output:
        model=directory(f"{RESULTS}/models/{{model}}"),
    wildcard_constraints:
        model=among(models_of("local")),
    params:
        path=lambda wildcards: pick(f"models.{wildcards.model}.path"),
        code=code_version("link_local_model.py"),
    log:
        f"{RESULTS}/logs/link_local_model/{{model}}.log",
    localrule: True
    script:
        "../scripts/link_local_model.py"
