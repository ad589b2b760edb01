"""Score the open answers of one model under one mask set from 1 to 10."""

from typing import Any

from crane.artefacts import read_jsonl, write_jsonl
from crane.judges import make_judge
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `judge_answers`."""
    settings = {key.removeprefix("judge."): value for key, value in snakemake.params.judge.items()}
    judge = make_judge(**settings)
    for source, target in zip(snakemake.input.answers, snakemake.output.judgements, strict=True):
        records = read_jsonl(source)
        judgements = [{**record, **judge(record)._asdict(), "judge": settings["kind"]} for record in records]
        scored = [j["score"] for j in judgements if j["score"] is not None]
        print(
            f"{target}: {len(scored)} of {len(records)} scored, mean {sum(scored) / max(len(scored), 1):.3f}"
        )
        write_jsonl(judgements, target)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
