"""Let one model answer all open questions, under every language's mask of one mask set."""

from pathlib import Path
from typing import Any

import torch
from crane.artefacts import write_jsonl
from crane.evaluation.engine import each_mask
from crane.evaluation.loading import open_engine
from crane.evaluation.open_questions import open_question, read_questions
from crane.neurons.mean_values import intervention
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `generate_answers`."""
    torch.set_num_threads(snakemake.threads)
    asked = {
        key.removeprefix("open_questions."): value for key, value in snakemake.params.open_questions.items()
    }
    engine = open_engine(
        snakemake.params.engine,
        snakemake.input.model,
        dtype=snakemake.params.dtype,
        batch_size=snakemake.resources.batch_size,
        gpus=snakemake.resources.gpu,
    )
    how = intervention(snakemake.params.intervention, snakemake.input.means)
    template = engine.tokenizer if asked["chat_template"] else None
    languages = list(snakemake.params.languages)
    questions = {language: read_questions(snakemake.input[language]) for language in languages}
    records: dict[str, list[dict[str, Any]]] = {language: [] for language in languages}
    for mask_language in each_mask(engine, snakemake.input.neurons or None, **how):
        for language in languages:
            prompts = [
                open_question(q["question"], asked["style"], asked["suffix"][language], template)
                for q in questions[language]
            ]
            answers = engine.generate(
                prompts,
                max_new_tokens=asked["max_new_tokens"],
                repetition_penalty=asked["repetition_penalty"],
                context=asked["context"],
            )
            for number, (question, prompt, answer) in enumerate(
                zip(questions[language], prompts, answers, strict=True)
            ):
                records[language].append(
                    {
                        "model": snakemake.wildcards.model,
                        "mask_set": snakemake.wildcards.mask_set,
                        "mask_language": mask_language,
                        "language": language,
                        "question_id": number,
                        "question": question["question"],
                        "reference": question.get("reference"),
                        "prompt": prompt.text,
                        "output": answer.text,
                        "finish_reason": answer.finish_reason,
                    }
                )
            ended = sum(answer.finish_reason == "stop" for answer in answers)
            print(
                f"mask {mask_language}: {language}, {ended} of {len(answers)} answers ended by themselves",
                flush=True,
            )
    for path in snakemake.output.answers:
        write_jsonl(records[Path(path).stem], path)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
