"""The section of the explorer page: what it takes, and what it stands for where keys are left out."""

from typing import Any

import pytest
from crane.study import outputs
from crane.study.study import Study
from support.study_config import messages, preset

DEMO = preset("demo")
SHOWN = ["crane", "crane_small", "crane_threshold", "dispersion", "lape", "lape_matched"]
RANDOM = {
    "published": {"label": "P", "method": "import", "file": "lists.pth", "languages": ["en", "zh", "vi"]},
    "random": {"label": "R", "method": "random", "match": "published", "seeds": 2},
}
BARE = {key: value for key, value in DEMO.items() if key not in ("perplexity", "published")}


def test_without_the_section_a_study_has_no_page_but_it_can_be_asked_for() -> None:
    study = Study(DEMO)
    assert outputs.explorer_files(study) == []
    assert study.explorer == {"samples": 3, "neurons": 50, "tokens": 64, "mask_sets": SHOWN}


def test_an_empty_section_takes_the_defaults() -> None:
    study = Study({**DEMO, "explorer": {}})
    assert outputs.explorer_files(study) == ["results/demo/explorer.html"]
    assert study.explorer == Study(DEMO).explorer


def test_of_a_random_set_the_page_has_the_first_seed() -> None:
    study = Study({**DEMO, "explorer": {"mask_sets": ["random", "crane"], "neurons": 7}})
    assert study.explorer["mask_sets"] == ["random-0", "crane"] and study.explorer["neurons"] == 7


def test_random_sets_are_there_by_name_only() -> None:
    assert Study({**BARE, "mask_sets": RANDOM}).explorer["mask_sets"] == ["published"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"mask_sets": ["crane", "krane"]}, "explorer.mask_sets: 'krane' is not a mask set"),
        ({"mask_sets": ["destroyed"]}, "explorer.mask_sets: 'destroyed' masks all neurons"),
        ({"mask_sets": []}, "explorer.mask_sets"),
        ({"samples": 0}, "explorer.samples"),
        ({"neurons": "all"}, "explorer.neurons"),
        ({"token": 5}, "did you mean 'tokens'"),
    ],
)
def test_wrong_settings_are_told(section: dict[str, Any], message: str) -> None:
    (line,) = messages({**DEMO, "explorer": section})
    assert message in line


def test_a_study_that_selects_nothing_has_nothing_to_show() -> None:
    config = {**BARE, "mask_sets": {"destroyed": DEMO["mask_sets"]["destroyed"]}, "explorer": {}}
    assert any("nothing to show" in line for line in messages(config))
