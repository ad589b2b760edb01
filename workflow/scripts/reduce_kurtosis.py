"""Merge all shards of all languages into one table of statistics per layer."""

from typing import Any

from crane.artefacts import write_table
from crane.relevance.merged import merged_table
from joblog import job_log, provenance


def main(snakemake: Any) -> None:
    """Run the rule `reduce_kurtosis`."""
    languages = snakemake.params.languages
    for layer, path in enumerate(snakemake.output.tables):
        files = {language: snakemake.input[language] for language in languages}
        least = snakemake.params.routed_samples
        table = merged_table(files, layer, snakemake.params.site, least)
        for language, rows in table.groupby("language", sort=False):
            undefined = int(rows["kurtosis"].isna().sum())
            outliers = int((rows["outlier_share"] > 0.5).sum())
            print(f"layer {layer}, {language}: {rows['count'].iloc[0]} samples; {undefined} of {len(rows)} neurons "
                  f"without variance; for {outliers} one sample may make up more than half of the fourth moment",
                  flush=True)  # fmt: skip
            for kind, what in (("sample", "samples' mean values"), ("token", "activated gates")):
                if f"{kind}_overflow" in rows:
                    print(f"layer {layer}, {language}: {rows[f'{kind}_overflow'].mean():.3%} of the {what} lie beyond "
                          "the edges of their histograms", flush=True)  # fmt: skip
            if "routed" in rows:
                few = int((rows["routed"] < least).sum())
                print(f"layer {layer}, {language}: {few} of {len(rows)} neurons are in experts that were used in fewer "
                      f"than {least} samples, {int((rows['routed'] == 0).sum())} in none", flush=True)  # fmt: skip
        write_table(table, path, provenance(snakemake))


if __name__ == "__main__":
    with job_log(snakemake):
        main(snakemake)
