"""The families of models whose MLPs are known."""

import pytest
from crane.models.architectures import mlps, norms, query_key_value_columns
from crane.models.families import UnsupportedModelError


def test_an_unknown_family_is_refused(llama):
    llama.config.model_type = "bert"
    with pytest.raises(UnsupportedModelError, match="'bert'"):
        mlps(llama)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"use_bidirectional_attention": True}, "bidirectional attention"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "layers of linear_attention"),
    ],
)
def test_attention_that_is_not_causal_softmax_attention_is_refused(llama, setting, message):
    vars(llama.config).update(setting)
    with pytest.raises(UnsupportedModelError, match=message):
        mlps(llama)


@pytest.mark.parametrize("family", ["gpt2", "qwen3"])
def test_columns_of_a_joint_projection(make_model, family):
    found = query_key_value_columns(make_model(family)).bincount().tolist()
    assert found == {"gpt2": [32, 32, 32], "qwen3": [32, 16, 16]}[family]


def test_every_norm_of_the_text_decoder_is_found(make_model):
    assert len(norms(make_model("llama"))) == 3 * 2 + 1
    assert len(norms(make_model("qwen3"))) == 3 * 4 + 1  # of query and key, too
    assert len(norms(make_model("gemma3"))) == 3 * 6 + 1  # not those of the vision tower
    assert len(norms(make_model("gpt2"))) == 3 * 2 + 1
