"""Which models are evaluated in vLLM: those that it computes as transformers does, and whose neurons it can mask.

Read in vLLM 0.32.0; the tests run its CPU build with every family that is not refused here.
"""

from typing import Any

from crane.models.families import UnsupportedModelError, family_of

REFUSED = {
    "xglm": "it has no implementation of it, and its attention cannot take the place of the one in transformers",
}
"""Why vLLM runs no model of a family, by model type; those with experts are refused as well."""
_TIED = ("cohere", "cohere2")
"""Families of which vLLM ignores an output layer of its own, without an error (`models/commandr.py`)."""


def check_vllm(config: Any) -> None:
    """Refuse a model that vLLM cannot mask, or computes otherwise than transformers.

    Raises:
        UnsupportedModelError: says what to set instead; or as `crane.models.families.family_of`.
    """
    kind = config.model_type
    if family_of(config).experts:
        raise UnsupportedModelError(
            f"vLLM computes the experts of a {kind!r} in fused kernels, inside which no neuron can be masked; set "
            "engine: hf"
        )
    if kind in REFUSED:
        raise UnsupportedModelError(f"vLLM does not run model type {kind!r}: {REFUSED[kind]}; set engine: hf")
    if kind in _TIED and not config.tie_word_embeddings:
        raise UnsupportedModelError(
            f"vLLM takes the embeddings of every {kind!r} for its output layer, and this one has another "
            "(tie_word_embeddings: false); set engine: hf"
        )
