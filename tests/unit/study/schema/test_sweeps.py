"""Resample ablation in sweeps and mask sets, and the engine that cannot do it."""

from typing import Any

import pytest
from crane.study.check import check
from crane.study.study import Study
from support.study_config import REMOVE, changed, messages

SWEEP = {"suite": "quiz", "mask_sets": ["dispersion"], "scales": [0], "mean": False, "resample": 3}


def test_the_neurons_of_a_set_get_values_of_other_documents(config: dict[str, Any]) -> None:
    masks = Study(changed(config, sweeps={"intervention": SWEEP})).masks
    points = masks.sweep_points("intervention")
    assert [(p["mask_set"], p["setting"], p["value"]) for p in points] == [
        ("dispersion", "× 0", 0.0), ("dispersion-resample3", "resample", None),
    ]  # fmt: skip
    assert masks.intervention("dispersion-resample3") == {"resample": 3}
    assert masks.neurons_of("dispersion-resample3") == "dispersion"


@pytest.mark.parametrize("given", [{"resample": 0}, {"resample": True}, {"resample": 1, "mean": True}])
def test_a_seed_is_a_number_from_one_on_and_the_only_intervention(config: dict[str, Any], given: Any) -> None:
    (line,) = messages(changed(config, mask_sets__lape__intervention=given))
    assert "mask_sets.lape.intervention" in line


def test_vllm_is_refused_by_name_and_reason(config: dict[str, Any]) -> None:
    wanted = changed(
        config, mask_sets__lape__intervention={"resample": 1}, sweeps={"intervention": SWEEP}, published=REMOVE
    )  # fmt: skip
    check(wanted)
    lines = messages(changed(wanted, engine="vllm"))
    assert [line.split(":")[0].strip() for line in lines] == [
        "mask_sets.lape.intervention.resample", "sweeps.intervention.resample",
    ]  # fmt: skip
    assert all("engine vllm" in line and "set engine: hf" in line for line in lines)


def test_imported_neurons_have_no_values_of_another_site(config: dict[str, Any]) -> None:
    imported = {
        "label": "I", "method": "import", "file": "masks.parquet", "intervention": {"resample": 1},
    }  # fmt: skip
    alone = changed(
        config, mask_sets={"i": imported}, sweeps=REMOVE, published=REMOVE, perplexity=REMOVE, calibration=REMOVE,
    )  # fmt: skip
    check(alone)
    (line,) = messages(changed(alone, relevance__site="residual_write"))
    assert "mask_sets.i.intervention: values are measured at relevance.site" in line
