"""The script that cuts samples, before it reads a text."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import sample_texts
from crane.models.errors import ModelError
from crane.models.loading import context_limit


def test_samples_that_the_model_has_no_positions_for_are_refused(model_folder: Path, tmp_path: Path) -> None:
    limit = context_limit(model_folder)
    assert limit
    snakemake = SimpleNamespace(
        input=SimpleNamespace(model=str(model_folder)),
        params=SimpleNamespace(
            wanted={"key": "corpora.max_tokens", "tokens": limit + 1},
            files=str(tmp_path / "never read.jsonl"),
        ),
        wildcards=SimpleNamespace(model="base"),
    )
    with pytest.raises(
        ModelError,
        match=rf"{limit + 1} tokens \(corpora\.max_tokens\): model 'base' has positions for {limit};",
    ):
        sample_texts.main(snakemake)
