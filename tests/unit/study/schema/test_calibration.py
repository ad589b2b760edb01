"""The section `calibration`: what it needs, what there is not, and that it is off without it."""

from typing import Any

import pytest
from crane.study import outputs
from crane.study.study import Study
from support.study_config import REMOVE, changed, messages

ASKED = {"neurons": 64, "groups": 8, "group_size": 4, "documents": 20, "max_tokens": 24, "seed": 0}


def test_it_is_absent_by_default_and_adds_one_table_and_one_figure(config: dict[str, Any]) -> None:
    plain = Study(changed(config, calibration=REMOVE) if "calibration" in config else config)
    more = Study(changed(config, calibration=ASKED))
    assert plain.calibration == {} and more.calibration == ASKED
    for names in (outputs.tables, outputs.figures):
        assert set(names(more)) - set(names(plain)) == {"calibration"}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"perplexity": REMOVE}, "calibration: measures on the held-out texts of perplexity"),
        ({"calibration__documents": 201}, "calibration.documents: 201 exceeds perplexity.documents, 200"),
        ({"calibration__max_tokens": 129}, "calibration.max_tokens: 129 exceeds perplexity.max_tokens, 128"),
        ({"calibration__neurons": 1025}, "calibration.neurons: 1025 exceeds the model's 1024 neurons"),
        ({"calibration__group_size": 257}, "calibration.group_size: 257 exceeds the 256 neurons of a layer"),
        ({"calibration__neurons": 7}, "calibration.neurons: 7 "),
        ({"calibration__seed": REMOVE}, "calibration: missing key seed"),
    ],
)
def test_what_there_is_not_is_refused(config: dict[str, Any], edits: dict[str, Any], expected: str) -> None:
    (line,) = messages(changed(changed(config, calibration=ASKED), **edits))
    assert line.strip().startswith(expected)


def test_neurons_of_another_site_are_counted_by_the_job(config: dict[str, Any]) -> None:
    wide = changed(
        config,
        calibration={**ASKED, "group_size": 300}, relevance__site="residual_write", sweeps=REMOVE, published=REMOVE,
        perplexity__mask_sets=["crane"], mask_sets={"crane": config["mask_sets"]["crane"]},
    )  # fmt: skip
    assert Study(wide).calibration["group_size"] == 300


def test_sets_by_statistics_are_calibrated_with_the_relevance_that_they_are_of(
    config: dict[str, Any],
) -> None:
    own = Study(changed(config, calibration=ASKED)).masks
    assert "crane" in own.calibrated and own.calibrated_variants == []
    assert not {"random-0", "destroyed"} & set(own.calibrated)
    variant = changed(
        config,
        calibration=ASKED,
        relevance_variants={"logprob": {"objective": "next_token_logprob"}},
        mask_sets__dispersion__relevance="logprob",
    )
    assert Study(variant).masks.calibrated_variants == ["-logprob"]
