# Needs models, open questions, held-out texts and mask sets; makes results/<study>/steering/<model>/<group>/ (answers,
# known answers and texts of the model steered from one language to another, and of the unmasked model) and
# results/<study>/steering.parquet. Without the section `steering` there are no such jobs. Finished conditions are stored
# in results/<study>/parts/ immediately.
STEERED = f"{RESULTS}/steering/{FIRST}"


for group, members in study.steering.groups.items():

    rule:
        # Answer, score known answers and read texts, steered between each pair of languages.
        name:
            profiles.share_resources(workflow, "steer_masks", f"steer_masks_{group}")
        input:
            model=f"{RESULTS}/models/{FIRST}",
            masks=neuron_files(members),
            means=statistics(FIRST) if study.steering.need_means(group) else [],
            open=f"{RESULTS}/prompts/{FIRST}/{OPEN_SUITE}.parquet",
            texts=(
                expand(
                    f"{RESULTS}/held_out/{FIRST}/{{lang}}.parquet",
                    lang=study.languages,
                )
                if study.steering.documents
                else []
            ),
        output:
            answers=f"{STEERED}/{group}/answers.parquet",
            known=f"{STEERED}/{group}/known.parquet",
            texts=f"{STEERED}/{group}/texts.parquet",
        log:
            f"{RESULTS}/logs/steer_masks/{group}.log",
        benchmark:
            f"{RESULTS}/resources/steer_masks/{group}.tsv"
        conda:
            f"../../envs/{EVALUATION}.yaml"
        resources:
            batch_size=config["evaluation"].get("batch_size", 256),
            batch_tokens=config["evaluation"].get("batch_tokens", 8192),
            gpu=config["evaluation"]["gpus"],
            models_in_memory=1,
        params:
            group=group,
            how=study.steering.how if group != ORIGINAL else {},
            pairs=study.steering.pairs,
            known=study.steering.knows_answers,
            documents=study.steering.documents,
            answering=evaluations.answering(study, OPEN_SUITE),
            engine=pick("engine"),
            dtype=pick("evaluation.dtype"),
            store=lambda wildcards: STORE,  # where it keeps what it computes, not what it makes
            evaluated=OF_EVALUATION,
            code=code_version("steer_masks.py"),
        script:
            "../scripts/steer_masks.py"


rule score_steering:
    """Identify the languages of steered answers, and compare all that was steered with the unmasked model."""
    input:
        **{
            kind: expand(
                f"{STEERED}/{{group}}/{kind}.parquet", group=study.steering.groups
            )
            for kind in ["answers", "known", "texts"]
        },
    output:
        steering=f"{RESULTS}/steering.parquet",
    log:
        f"{RESULTS}/logs/score_steering.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        model=FIRST,
        languages=study.languages,
        pairs=study.steering.pairs,
        mask_sets=study.masks.groups(
            [
                name
                for members in study.steering.groups.values()
                for name in members
                if name != ORIGINAL
            ]
        ),
        code=code_version("score_steering.py"),
    script:
        "../scripts/score_steering.py"
