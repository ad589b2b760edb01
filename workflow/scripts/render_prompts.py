"""Render the tokenised prompts of one benchmark, or of the open questions, for one model."""

from typing import Any

from crane.artefacts import read_table, write_table
from crane.evaluation import benchmarks
from crane.evaluation.continuation import render_continuations
from crane.evaluation.open_questions import render_questions
from crane.evaluation.prompts import render_benchmark
from crane.evaluation.question_files import read_open_questions
from crane.models.configuration import stated_positions
from crane.models.tokenizers import load_tokenizer
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `render_prompts` or `render_open_questions`."""
    model = snakemake.input.model
    tokenizer, limit = load_tokenizer(model), stated_positions(model)
    if snakemake.rule == "render_prompts":
        name, settings = snakemake.wildcards.benchmark, dict(snakemake.params.benchmark)
        if settings.pop("source", "") == "continuation":
            frame = render_continuations(read_table(snakemake.input.data[0]), name=name, **settings)
        else:
            frame = render_benchmark(name, benchmarks.load(name, settings), settings, tokenizer, limit)
    else:
        asked = {key.removeprefix("open_questions."): value for key, value in snakemake.params.asked.items()}
        context = min(asked.pop("context"), limit or asked["context"])
        questions = {code: read_open_questions(snakemake.input[code]) for code in snakemake.params.languages}
        frame = render_questions(questions, tokenizer, **asked, context=context)
    counts = {"dropped": 0, **frame.attrs}
    print(
        f"{len(frame)} prompts of at most {frame['tokens'].max()} tokens, {counts['dropped']} left out as too long"
    )
    if counts.get("special"):
        print(f"{counts['special']} questions write special tokens, which are text in them")
    write_table(frame, snakemake.output.prompts, provenance(snakemake, **counts))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
