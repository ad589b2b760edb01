"""The matrices of drops and perplexities have every mask, and the seeds' range."""

import numpy as np
import pytest
from crane.names import TABLE_FORMS
from crane.tables.matrices import drop_matrix, perplexity_matrix
from crane.tables.rendering import render
from support.perplexity_results import perplexities
from support.published_results import BASE, LANGUAGES, labels, study


@pytest.fixture(scope="module")
def table():
    return perplexities()


def test_the_matrix_shows_ratios_and_the_seeds_range(table):
    shown = labels("crane", "random")
    matrix = perplexity_matrix(table, shown, BASE, 500)
    assert matrix.cells.shape == (1 + 2 * 3, 2 + 3)
    values = table.set_index(["mask_set", "mask_language", "language"])
    first = matrix.cells.iloc[0]
    for code, name in LANGUAGES.items():
        assert first["Texts", name] == f"{values.loc[('original', 'none', code), 'perplexity']:.2f}"
        own = matrix.cells[(matrix.cells["", "Method"] == "CRANE") & (matrix.cells["", "Mask"] == code)]
        ratio = np.exp(values.loc[("crane", code, code), "log_ratio"])
        assert own["Texts", name].item().startswith(f"× {ratio:.3f} [")
        drawn = matrix.cells[
            (matrix.cells["", "Method"] == "Random (2 seeds)") & (matrix.cells["", "Mask"] == code)
        ]
        both = [np.exp(values.loc[(f"random-{s}", code, code), "log_ratio"]) for s in range(2)]
        mean = np.sqrt(both[0] * both[1])
        assert drawn["Texts", name].item() == f"× {mean:.3f} [{both[0]:.3f}, {both[1]:.3f}]‡"
    for form in TABLE_FORMS:
        assert render(matrix, "perplexity-base", form)


def test_the_matrix_of_drops_has_every_mask_and_benchmark():
    scores, _ = study()
    scores = scores.assign(drop_low=scores["drop"] - 0.01, drop_high=scores["drop"] + 0.01)
    matrix = drop_matrix(scores, labels("lape", "crane", "random"), BASE, "exam", 10_000)
    assert matrix.cells.shape == (3 * 3, 2 + 3)
    own = scores[(scores["label"] == "crane") & (scores["mask_language"] == "zh")].set_index("benchmark")
    row = matrix.cells[(matrix.cells["", "Method"] == "CRANE") & (matrix.cells["", "Mask"] == "zh")]
    drop = own.loc["ceval", "drop"]
    assert row["", "C-Eval (zh)"].item() == f"{drop:+.4f} [{drop - 0.01:.3f}, {drop + 0.01:.3f}]"
    assert matrix.cells["", "MMLU (en)"].str.endswith("‡").sum() == 3
