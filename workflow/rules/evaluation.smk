# Needs models, questions and mask sets; makes tokenised prompts, results/<study>/prompts/<model>/<name>.parquet, and
# every model's results for them, results/<study>/evaluations/<model>/<group>/<part>.parquet (a group is a mask set with
# all seeds; a part is a suite, `open`, or `perplexity`). One job opens one engine and evaluates all of it under several
# mask sets; each finished condition is stored in results/<study>/parts/ at once, where an interrupted job resumes. The
# job's outputs are receipts, results/<study>/parts/receipts/: they name the parts, which collect_answers reads.
SPEED = config["evaluation"]


rule render_prompts:
    """Render the questions of a benchmark as lm-evaluation-harness sends them, tokenised once for all masks."""
    input:
        model=f"{RESULTS}/models/{{model}}",
        data=question_files,
    output:
        prompts=f"{RESULTS}/prompts/{{model}}/{{benchmark}}.parquet",
    log:
        f"{RESULTS}/logs/render_prompts/{{model}}/{{benchmark}}.log",
    wildcard_constraints:
        benchmark=among(config.get("benchmarks", {})),
    conda:
        "../../envs/evaluation.yaml"
    params:
        benchmark=lambda wildcards: study.inputs.benchmark(wildcards.benchmark),
        code=lambda wildcards: code_version(
            "render_prompts.py", *study.inputs.task_files(wildcards.benchmark)
        ),
    script:
        "../scripts/render_prompts.py"


rule render_open_questions:
    """Render the open questions of all languages as prompts, tokenised once for all masks."""
    input:
        unpack(open_questions),
        model=f"{RESULTS}/models/{{model}}",
    output:
        prompts=f"{RESULTS}/prompts/{{model}}/{OPEN_SUITE}.parquet",
    log:
        f"{RESULTS}/logs/render_open_questions/{{model}}.log",
    conda:
        "../../envs/evaluation.yaml"
    params:
        asked=lambda wildcards: pick(
            *(
                f"open_questions.{key}"
                for key in [
                    "chat_template",
                    "context",
                    "date",
                    "style",
                    "suffix",
                    "template",
                ]
                if key in study.config["open_questions"]
            )
        ),
        languages=study.languages,
        code=code_version("render_prompts.py"),
    script:
        "../scripts/render_prompts.py"


rule draw_questions:
    """Draw a part of a benchmark's questions by strata: what many random mask sets are asked."""
    input:
        whole=f"{RESULTS}/prompts/{{model}}/{{benchmark}}.parquet",
    output:
        part=f"{RESULTS}/prompts/{{model}}/sampled/{{benchmark}}.parquet",
    log:
        f"{RESULTS}/logs/draw_questions/{{model}}/{{benchmark}}.log",
    wildcard_constraints:
        benchmark=among(config.get("benchmarks", {})),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        sample=lambda wildcards: study.sample_size(
            study.benchmarks[wildcards.benchmark]["suite"]
        ),
        code=code_version("draw_sample.py"),
    script:
        "../scripts/draw_sample.py"


use rule draw_questions as draw_held_out with:
    input:
        whole=f"{RESULTS}/held_out/{{model}}/{{lang}}.parquet",
    output:
        part=f"{RESULTS}/held_out/{{model}}/sampled/{{lang}}.parquet",
    log:
        f"{RESULTS}/logs/draw_held_out/{{model}}/{{lang}}.log",
    localrule: True
    params:
        sample=study.sample_size(PERPLEXITY),


rule record_donor_values:
    """Record the values of all neurons at every position of other documents, for the intervention `resample`."""
    input:
        model=f"{RESULTS}/models/{FIRST}",
        corpora=expand(
            f"{RESULTS}/corpora/{FIRST}/{{lang}}.parquet", lang=study.languages
        ),
    output:
        values=f"{RESULTS}/donors/{FIRST}/{{seed}}.safetensors",
    log:
        f"{RESULTS}/logs/record_donor_values/{{seed}}.log",
    wildcard_constraints:
        seed=r"\d+",
    conda:
        "../../envs/relevance.yaml"
    resources:
        gpu=1,
        models_in_memory=1,
    params:
        dtype=pick("relevance.dtype"),
        site=pick("relevance.site"),
        code=code_version("record_donor_values.py"),
    script:
        "../scripts/record_donor_values.py"


for evaluated in study.evaluated_models:
    for number, mask_sets in enumerate(evaluations.jobs(study, evaluated)):

        rule:
            name:
                profiles.share_resources(
                    workflow, "evaluate_masks", f"evaluate_masks_{evaluated}_{number}"
                )
            input:
                model=f"{RESULTS}/models/{evaluated}",
                masks=neuron_files(mask_sets),
                means=mean_values(mask_sets),
                donors=donor_values(mask_sets),
                prompts=[
                    path
                    for part in evaluations.job_parts(study, evaluated, mask_sets)
                    for path in evaluations.prompt_files(study, evaluated, part)
                ],
            output:
                receipts=(made := receipts(evaluated, mask_sets)),
                # Never kept, nor is Snakemake's record of it (see `forget_groupings`): without it, the mask sets of a
                # job are not compared with those of the last run. The names of the receipts, and the inputs, hold
                # everything that determines a result.
                together=temp(
                    f"{STORE}/receipts/{evaluated}/{evaluations.job_name(made)}.txt"
                ),
            log:
                f"{RESULTS}/logs/evaluate_masks/{evaluated}/{number}.log",
            benchmark:
                f"{RESULTS}/resources/evaluate_masks/{evaluated}/{number}-{evaluations.job_name(made)}.tsv"
            conda:
                f"../../envs/{EVALUATION}.yaml"
            resources:
                batch_size=SPEED.get("batch_size", 256),
                batch_tokens=SPEED.get("batch_tokens", 8192),
                gpu=SPEED["gpus"],
                models_in_memory=1,
            params:
                **evaluations.job_settings(study, evaluated, mask_sets),
                engine=pick("engine"),
                dtype=pick("evaluation.dtype"),
                store=lambda wildcards: STORE,  # where it keeps what it computes, not what it makes
                code=OF_EVALUATION,
            script:
                "../scripts/evaluate_masks.py"


for part in evaluations.every_part(study):
    for collection, collected in evaluations.collections(study, part).items():

        rule:
            # Collect one model's results for one suite, the open questions or the held-out texts: a file for each group
            # of masks.
            name:
                f"collect_answers_{part.replace('-', '_')}_{collection}"
            input:
                model=f"{RESULTS}/models/{{model}}",
                masks=neuron_files(
                    members := [name for group in collected.values() for name in group]
                ),
                means=mean_values(members),
                donors=donor_values(members),
                prompts=lambda wildcards, part=part: evaluations.prompt_files(
                    study, wildcards.model, part
                ),
                # `ancient`: a job writes the receipts of all its mask sets anew, also of those whose answers are the old
                # ones.
                receipts=lambda wildcards, part=part, members=members: ancient(
                    receipts(wildcards.model, members, part)
                ),
            output:
                answers=[
                    f"{RESULTS}/evaluations/{{model}}/{group}/{part}.parquet"
                    for group in collected
                ],
            log:
                f"{RESULTS}/logs/collect_answers/{{model}}/{part}_{collection}.log",
            localrule: True
            conda:
                "../../envs/analysis.yaml"
            params:
                groups=collected,
                prompts=evaluations.prompt_names(study, part),
                answering=evaluations.answering(study, part),
                engine=pick("engine"),
                dtype=pick("evaluation.dtype"),
                store=STORE,
                code=f"{OF_EVALUATION}-{code_version('collect_answers.py')}",
            script:
                "../scripts/collect_answers.py"
