"""What is told of the selection null before relevance is measured."""

from typing import Any

import pytest
from crane.preflight.evidence import selection_null
from crane.study.study import Study
from support.study_config import REMOVE, changed


@pytest.mark.parametrize(
    ("shards", "said"),
    [
        (2, "none, because 2 shards cannot be dealt to 3 languages"),
        (3, "3 groups of 1 shards"),
        (6, "3 groups of 2 shards"),
        (8, "3 groups of 2 shards; 2 of 8 shards are in no group"),
    ],
)
def test_the_shards_are_dealt_to_the_languages(demo_config: dict[str, Any], shards: int, said: str) -> None:
    assert selection_null(Study(changed(demo_config, corpora__shards=shards))).startswith(said)


def test_without_a_rule_there_is_none(demo_config: dict[str, Any]) -> None:
    alone = {"all": {"label": "All", "method": "all"}}
    study = Study(changed(demo_config, mask_sets=alone, published=REMOVE, perplexity=REMOVE))
    assert selection_null(study).startswith("none, because no mask set has a rule")
