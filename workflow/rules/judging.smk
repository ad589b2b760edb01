# Needs the open answers of a model under all masks; makes what each judge replied, results/<study>/responses/<judge>/<model>.jsonl,
# and the scores read from it, results/<study>/judgements/<judge>/<model>.jsonl
# Replies of an endpoint are also in results/judgements.sqlite, shared by all studies.


rule ask_judge:
    """Have a judge grade the open answers; what it replied before to the same answer is not asked again."""
    input:
        answers=lambda wildcards: answers([wildcards.model], SETS, [OPEN_SUITE]),
    output:
        responses=f"{RESULTS}/responses/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/ask_judge/{{judge}}/{{model}}.log",
    # It asks again by itself. What ended it (a batch that was cancelled, a used-up quota) must not be paid for again.
    retries: 0
    # The machine that plans the study reaches the internet, GPU nodes often do not.
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        concurrency=lambda wildcards: study.judges.speed(wildcards.judge)["concurrency"],
        timeout=lambda wildcards: study.judges.speed(wildcards.judge)["timeout"],
        poll_seconds=lambda wildcards: study.judges.speed(wildcards.judge)[
            "poll_seconds"
        ],
        key_variable=lambda wildcards: study.judges.speed(wildcards.judge)[
            "key_variable"
        ],
    params:
        judge=lambda wildcards: study.judges.request(wildcards.judge),
        languages=lambda wildcards: study.judges.languages(wildcards.judge),
        store="results/judgements.sqlite",
        # The parser decides whether to ask again, but nothing of what is stored.
        code=lambda wildcards: code_version(
            "ask_judge.py",
            *study.judges.files(wildcards.judge),
            without="crane/judging/verdicts.py",
        ),
    script:
        "../scripts/ask_judge.py"


rule parse_judgements:
    """Read scores from 1 to 10 out of a judge's replies, and tell the language of each answer."""
    input:
        responses=f"{RESULTS}/responses/{{judge}}/{{model}}.jsonl",
    output:
        judgements=f"{RESULTS}/judgements/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/parse_judgements/{{judge}}/{{model}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        reading=lambda wildcards: study.judges.reading(wildcards.judge),
        languages=study.languages,
        code=code_version("parse_judgements.py"),
    script:
        "../scripts/parse_judgements.py"
