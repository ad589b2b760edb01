"""Draw the part of a benchmark's questions, or of a language's held-out texts, that many random masks are asked."""

from typing import Any

from crane.artefacts import read_metadata, read_table, write_table
from crane.scores.question_sample import draw_questions
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `draw_questions` or `draw_held_out`."""
    whole = read_table(snakemake.input.whole)
    count, seed = snakemake.params.sample["count"], snakemake.params.sample["seed"]
    # Held-out texts are in a random order already.
    part = whole[:count] if snakemake.rule == "draw_held_out" else draw_questions(whole, count, seed)
    print(f"{len(part)} of {len(whole)}")
    dropped = read_metadata(snakemake.input.whole).get("dropped", 0)
    write_table(part, snakemake.output.part, provenance(snakemake, dropped=dropped, of=len(whole)))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
