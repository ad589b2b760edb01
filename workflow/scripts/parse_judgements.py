"""Parse one judge's replies about one model into scores, and identify the language of each answer."""

from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import Any

from crane.artefacts import read_jsonl, write_jsonl
from crane.judging.answer_language import LanguageIdentifier
from crane.judging.verdicts import read_replies
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `parse_judgements`."""
    reading = dict(snakemake.params.reading)
    identify = LanguageIdentifier(snakemake.params.languages)
    judgements = []
    for record in read_jsonl(snakemake.input.responses):
        verdict = read_replies(record["replies"], reading, record["output"])
        language = identify(record["output"], record["language"])
        judgements.append({**record, **verdict._asdict(), "answer_language": language})
    write_jsonl(judgements, snakemake.output.judgements)
    for mask_set, of_set in groupby(judgements, key=itemgetter("mask_set")):
        judged = list(of_set)
        scores = [j["score"] for j in judged if j["score"] is not None]
        missing = Counter(j["reason"] for j in judged if j["score"] is None)
        print(
            f"{mask_set}: {len(scores)} of {len(judged)} scored, mean {sum(scores) / max(len(scores), 1):.3f}; "
            f"without a score: {dict(missing)}"
        )


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
