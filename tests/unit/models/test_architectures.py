"""The families of models whose MLPs are known."""

import pytest
from crane.models.architectures import UnsupportedModelError, mlps


def test_an_unknown_family_is_refused(llama):
    llama.config.model_type = "bert"
    with pytest.raises(UnsupportedModelError, match="'bert'"):
        mlps(llama)
