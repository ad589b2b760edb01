# Needs a model, a mask set and open questions; makes, per language of the questions,
# results/<study>/generations/<model>/<mask_set>/<lang>.jsonl and results/<study>/judgements/<model>/<mask_set>/<lang>.jsonl


rule generate_answers:
    """Greedy answers to the open questions under every language's mask."""
    input:
        **{lang: study.questions(lang) for lang in study.languages},
        model=f"{RESULTS}/models/{{model}}",
        neurons=mask_file,
    output:
        answers=expand(
            f"{RESULTS}/generations/{{{{model}}}}/{{{{mask_set}}}}/{{lang}}.jsonl",
            lang=study.languages,
        ),
    log:
        f"{RESULTS}/logs/generate_answers/{{model}}/{{mask_set}}.log",
    benchmark:
        f"{RESULTS}/resources/generate_answers/{{model}}/{{mask_set}}.tsv"
    conda:
        f"../../envs/{EVALUATION}.yaml"
    resources:
        batch_size=config["evaluation"]["batch_size"],
        gpu=config["evaluation"]["gpus"],
        models_in_memory=1,
    params:
        open_questions=pick(
            *(
                f"open_questions.{key}"
                for key in [
                    "style",
                    "suffix",
                    "chat_template",
                    "max_new_tokens",
                    "repetition_penalty",
                    "context",
                ]
            )
        ),
        languages=study.languages,
        engine=pick("engine"),
        dtype=pick("evaluation.dtype"),
        code=code_version("generate_answers.py"),
    script:
        "../scripts/generate_answers.py"


rule judge_answers:
    """Score the open answers from 1 to 10."""
    input:
        answers=expand(
            f"{RESULTS}/generations/{{{{model}}}}/{{{{mask_set}}}}/{{lang}}.jsonl",
            lang=study.languages,
        ),
    output:
        judgements=expand(
            f"{RESULTS}/judgements/{{{{model}}}}/{{{{mask_set}}}}/{{lang}}.jsonl",
            lang=study.languages,
        ),
    log:
        f"{RESULTS}/logs/judge_answers/{{model}}/{{mask_set}}.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        judge=pick("judge.kind", "judge.char_order", "judge.word_order"),
        code=code_version("judge_answers.py"),
    script:
        "../scripts/judge_answers.py"
