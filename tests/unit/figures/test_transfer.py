"""The figure of the transfer draws what the frame holds."""

import numpy as np
import pytest
from crane.figures.transfer import transfer
from crane.results.labels import ResultsError
from support.published_results import BASE, CHAT, EVERY, labels, published


def test_transfer_draws_base_and_chat_under_the_benchmarks_own_mask():
    scores, _ = published()
    figure = transfer(scores, labels("lape", "crane"), suite="exam")
    assert len(figure.axes) == 3
    scored = scores.set_index(["model", "method", "mask_language", "benchmark"])["score"]
    for axes, (benchmark, code) in zip(
        figure.axes, {"mmlu": "en", "ceval": "zh", "belebele_vi": "vi"}.items(), strict=True
    ):
        for line, (method, mask) in zip(
            axes.lines, [("original", "none"), ("lape", code), ("crane", code)], strict=True
        ):
            expected = [scored[model, method, mask, benchmark] for model in (BASE, CHAT)]
            np.testing.assert_allclose(line.get_ydata(), expected)


def test_a_missing_mask_set_is_named():
    scores, _ = published()
    with pytest.raises(ResultsError, match="scores: no row for model 'llama2-7b-chat', label 'random'"):
        transfer(scores, EVERY, suite="exam")


def test_a_mask_of_all_neurons_is_shown_only_if_it_is_alone():
    scores, _ = published()
    scores["method"] = scores["method"].where(scores["label"] != "lape", "all")
    beside = transfer(scores, labels("lape", "crane"), suite="exam")
    assert [line.get_label() for line in beside.axes[0].lines] == ["Original", "CRANE"]
    alone = transfer(scores, labels("lape"), suite="exam")
    assert [line.get_label() for line in alone.axes[0].lines] == ["Original", "LAPE"]
