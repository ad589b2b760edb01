"""Ask one judge about all answers of one model and keep all its replies."""

from typing import Any

from crane.artefacts import read_table, write_jsonl
from crane.judging.asking import ask_about, responses
from crane.judging.interface import Backend
from crane.judging.store import JudgementStore
from joblog import job_log


def main(snakemake: Any) -> None:
    """Run the rule `ask_judge`."""
    settings = dict(snakemake.params.judge)
    kind = settings["kind"]
    speed = snakemake.resources
    records = [
        record for path in snakemake.input.answers for record in read_table(path).to_dict(orient="records")
    ]
    if kind == "reference":
        from crane.judging.reference import ReferenceJudge

        judge = ReferenceJudge(settings["char_order"], settings["word_order"])
        replies = [[{"attempt": 0, **judge(record)}] for record in records]
    else:
        with JudgementStore(snakemake.params.store) as store:

            def backend() -> Backend:
                # Imported only if a request is sent: the client takes a second to import, and all replies may be known.
                from crane.judging.batch import BatchJudge
                from crane.judging.endpoint import Endpoint
                from crane.judging.online import OnlineJudge

                endpoint = Endpoint(settings["base_url"], speed.key_variable, speed.timeout)
                if kind == "openai":
                    return OnlineJudge(endpoint, speed.concurrency)
                return BatchJudge(endpoint, store, speed.poll_seconds)

            replies = ask_about(records, snakemake.params.languages, settings, store, backend)
    write_jsonl(responses(records, replies, snakemake.wildcards.judge), snakemake.output.responses)


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
