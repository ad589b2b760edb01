"""Tables of stability: split halves, single samples, and overlap between masks."""

import pandas as pd

from crane.results.cells import NOTHING, mean_count, number, share
from crane.results.labels import Labels
from crane.results.stability import overlap_rows, stability_rows
from crane.tables.rendering import Table


def stability_table(stability: pd.DataFrame, labels: Labels, *, shards: int) -> Table:
    """How far each mask is owed to the texts at hand, and to single ones of them.

    `shards` is the number of shards per language: with one there are no halves, and the table says so.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    rows = stability_rows(stability, labels)
    halved = rows["split_half"].notna()
    sizes = [
        f"{even:,.0f} / {odd:,.0f}" if there else NOTHING
        for even, odd, there in zip(rows["neurons_even"], rows["neurons_odd"], halved, strict=True)
    ]
    cells = pd.DataFrame(
        {
            ("", "Method"): list(map(labels.name, rows["label"], rows["seeds"])),
            ("", "Mask"): rows["mask_language"],
            ("", "Neurons"): rows["neurons"].map("{:,.0f}".format),
            ("Split halves", "Neurons"): sizes,
            ("Split halves", "Jaccard"): rows["split_half"].map(number),
            ("Split halves", "By chance"): rows["by_chance"].map(number),
            ("Owed to one sample", "Neurons"): rows["outliers"].map(mean_count),
            ("Owed to one sample", "Share"): rows["outlier_share"].map(share),
            ("Owed to one sample", "Of all"): rows["outlier_share_all"].map(share),
        }
    )
    notes = [
        "Split halves: the selection repeated with the same settings on the shards of even and of odd number; "
        "Jaccard: neurons in both choices / in either. By chance: two random sets with the same counts per layer.",
        "Owed to one sample: masked neurons of whose fourth central sum (of the relevance in the mask's language) one "
        "sample makes up more than half; of all: the same share among all neurons of the model.",
    ]
    if shards < 2:
        notes.append(
            "No split halves: the corpora have one shard per language (corpora.shards); two are needed."
        )
    elif not halved.all():
        notes.append(
            f"{NOTHING}: not chosen from these relevances (random, imported, of a variant), or a half selects none."
        )
    notes += [
        f"{labels.name(label)}: on half of the texts {reason}"
        for label, reason in rows.dropna(subset="reason")
        .groupby("label", sort=False)["reason"]
        .first()
        .items()
    ]
    return Table(
        "Stability of the masks: halves of the texts, and single texts.",
        rows.rename(columns={"label": "mask_set"}),
        cells,
        notes,
    )


def overlap_table(overlap: pd.DataFrame, labels: Labels) -> Table:
    """Overlap of every pair of masks; the readable shape has the pairs that share a mask set or a language.

    Raises:
        ResultsError: a mask set of the study is missing.
    """
    rows = overlap_rows(overlap, labels)
    values = rows.set_index(["label", "mask_language", "other_label", "other_language"])["jaccard"]
    names, codes = list(labels.mask_sets), list(labels.languages)
    cells = {
        ("", "Method"): [labels.name(label) for label in names for _ in codes],
        ("", "Mask"): [code for _ in names for code in codes],
    }
    for other in codes:
        cells["Other languages", other] = [
            NOTHING if code == other else f"{values[label, code, label, other]:.3f}"
            for label in names for code in codes
        ]  # fmt: skip
    for other in names:
        cells["Other mask sets, same language", labels.name(other)] = [
            NOTHING if label == other else f"{values[label, code, other, code]:.3f}"
            for label in names for code in codes
        ]  # fmt: skip
    notes = [
        "Jaccard index: neurons in both masks / in either; random sets: mean over their seeds. The CSV has every pair, "
        "with the index of random sets of the same counts per layer (by_chance)."
    ]
    return Table(
        "Overlap of the masks of different languages and of different mask sets.",
        rows.rename(columns={"label": "mask_set", "other_label": "other_mask_set"}),
        pd.DataFrame(cells),
        notes,
    )
