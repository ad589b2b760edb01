"""Which models are evaluated in vLLM, and what vLLM is told of them, without vLLM."""

import pytest
from crane.evaluation.vllm_families import check_vllm
from crane.evaluation.vllm_start import model_length, overrides
from crane.models.families import UnsupportedModelError
from transformers import AutoConfig
from transformers import PreTrainedConfig as Config

LONG_ROPE = {
    "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 4096,
    "short_factor": [1.0] * 48, "long_factor": [2.0] * 48,
}  # fmt: skip


def config(family: str, **settings: object) -> Config:
    """Return the configuration of a family, small where its values matter."""
    return AutoConfig.for_model(family, **settings)


@pytest.mark.parametrize("family", ["phi3", "olmo2", "granite", "gpt_neox", "bloom", "opt", "starcoder2"])
def test_a_family_that_vllm_masks(family):
    check_vllm(config(family))


@pytest.mark.parametrize(
    ("family", "settings", "why"),
    [
        ("xglm", {}, "does not run model type 'xglm': it has no implementation of it"),
        ("olmoe", {}, "computes the experts of a 'olmoe' in fused kernels"),
        (
            "cohere",
            {"tie_word_embeddings": False},
            "takes the embeddings of every 'cohere' for its output layer",
        ),
        ("cohere2", {"tie_word_embeddings": False}, "takes the embeddings of every 'cohere2'"),
    ],
)
def test_a_model_that_vllm_cannot_mask_or_computes_otherwise(family, settings, why):
    with pytest.raises(UnsupportedModelError, match=rf"vLLM {why}.*; set engine: hf"):
        check_vllm(config(family, **settings))


def test_cohere_with_tied_embeddings_is_masked():
    check_vllm(config("cohere"))
    check_vllm(config("cohere2"))


def test_local_layers_of_cohere_2_see_as_many_tokens_as_in_transformers():
    assert overrides(config("cohere2", sliding_window=512)) == {"hf_overrides": {"sliding_window": 511}}
    assert overrides(config("cohere")) == overrides(config("phi3", sliding_window=512)) == {}


@pytest.mark.parametrize(
    ("context", "length"),
    [(None, None), (100, 100), (131072, 131072), (200000, 131072)],
)
def test_the_length_is_that_of_the_prompts_within_the_models_own(context, length):
    assert model_length(config("llama", max_position_embeddings=131072), context) == length


@pytest.mark.parametrize(("context", "length"), [(None, 4096), (100, 100), (4096, 4096), (4097, 4096)])
def test_rotary_factors_of_short_texts_for_short_texts(context, length):
    """The one token more is that which vLLM generates in any case."""
    phi = config("phi3", max_position_embeddings=131072, rope_parameters=LONG_ROPE)
    assert model_length(phi, context) == length
    assert model_length(config("phi3", max_position_embeddings=64, rope_parameters=LONG_ROPE), context) == 64


def test_texts_beyond_the_short_rotary_factors_are_refused():
    phi = config("phi3", max_position_embeddings=131072, rope_parameters=LONG_ROPE)
    with pytest.raises(
        UnsupportedModelError, match=r"up to 4097 tokens, and beyond 4096 this 'phi3'.*engine: hf"
    ):
        model_length(phi, 4098)
    assert model_length(config("phi3", max_position_embeddings=4096), 9999) == 4096
