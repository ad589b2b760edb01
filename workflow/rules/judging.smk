# Needs the open answers of a model under all masks; makes each judge's replies,
# results/<study>/responses/<judge>/<model>.jsonl, and the scores parsed from them,
# results/<study>/judgements/<judge>/<model>.jsonl.
# Replies of endpoints are also in results/judgements.sqlite, which all studies share.


rule ask_judge:
    """Let a judge score the open answers; a reply that is known for an equal answer is not requested again."""
    input:
        answers=lambda wildcards: answers([wildcards.model], SETS, [OPEN_SUITE]),
    output:
        responses=f"{RESULTS}/responses/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/ask_judge/{{judge}}/{{model}}.log",
    # The script retries requests itself. After a cancelled batch or an exhausted quota nothing may be paid for again.
    retries: 0
    # GPU nodes often have no internet access; the machine that runs Snakemake has.
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
        # The parser determines whether a request is repeated, but not what is stored.
        code=lambda wildcards: code_version(
            "ask_judge.py",
            *study.judges.files(wildcards.judge),
            without=["crane/judging/verdicts.py", "crane/judging/reply_text.py"],
        ),
    script:
        "../scripts/ask_judge.py"


rule parse_judgements:
    """Parse scores from 1 to 10 from a judge's replies, and identify the language of each answer."""
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
