"""Compare the masks with many random ones on the part of the questions that those were asked."""

from typing import Any

import pandas as pd
from crane.artefacts import read_json, read_table, write_table
from crane.scores.sampled_null import ANSWER_COLUMNS, benchmark_means, perplexity_means, sampled_null
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `score_sample`."""
    inputs, params = snakemake.input, snakemake.params
    means = []
    if inputs.get("sampled", []):
        answers, sampled = (
            (read_table(path, ANSWER_COLUMNS) for path in paths) for paths in (inputs.answers, inputs.sampled)
        )
        means.append(benchmark_means(answers, sampled, params.benchmarks))
    if inputs.get("sampled_documents", []):
        means.append(
            perplexity_means(map(read_table, inputs.documents), map(read_table, inputs.sampled_documents))
        )
    summaries = {path.rsplit("/", 1)[1].removesuffix(".json"): read_json(path) for path in inputs.summaries}
    table = sampled_null(pd.concat(means, ignore_index=True), params.mask_sets, summaries)
    write_table(table, snakemake.output.null, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
