"""What a study asks of a model that its family does not have is named before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crane.preflight.sources import sources
from support.failed_checks import failures


@pytest.fixture
def saved(make_model: Callable[..., Any], tokenizer: Any, tmp_path: Path) -> Callable[..., str]:
    """Return a function that saves a tiny model of a family, and returns its folder."""

    def save(family: str, **settings: Any) -> str:
        folder = tmp_path / family
        make_model(family, vocabulary=len(tokenizer), **settings).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return save


def test_a_family_that_vllm_does_not_run_fails_where_it_is_evaluated(
    local: dict[str, Any], saved: Callable[..., str]
) -> None:
    local["models"]["chat"]["path"] = saved("xglm")
    assert failures(sources, local) == {}
    local["engine"] = "vllm"
    failed = failures(sources, local)
    assert set(failed) == {"models.chat"}
    assert failed["models.chat"].startswith("vLLM does not run model type 'xglm': it has no implementation")
    assert failed["models.chat"].endswith("; set engine: hf")


def test_what_experts_do_not_have_fails_before_anything_runs(
    local: dict[str, Any], saved: Callable[..., str]
) -> None:
    """vLLM, the width of one expert; and a router's rule without experts."""

    def failed(**relevance: str) -> dict[str, str]:
        return failures(sources, {**local, "relevance": {**local["relevance"], **relevance}})

    assert failed(router="constant") == {
        "models.base": "relevance.router: model 'base' has no experts; remove it"
    }
    for model in local["models"].values():
        model.update(path=saved("mixtral"), intermediate_size=96)
    assert failed() == failed(router="uniform") == {}
    local["engine"] = "vllm"
    message = failed()["models.chat"]
    assert message.startswith("vLLM computes the experts of a 'mixtral' in fused kernels")
    assert message.endswith("; set engine: hf")
    local["engine"] = "hf"
    local["models"]["base"]["intermediate_size"] = local["models"]["chat"]["intermediate_size"] = 16
    assert "has 3 layers of 96 neurons" in failed()["models.base"]


def test_a_model_with_experts_in_some_layers_only_fails(
    local: dict[str, Any], saved: Callable[..., str]
) -> None:
    local["models"]["base"]["path"] = saved("qwen3_moe", mlp_only_layers=[0])
    message = failures(sources, local)["models.base"]
    assert "layers with experts and layers without (mlp_only_layers [0]" in message


def test_a_ranking_by_the_up_projection_needs_a_gate(
    local: dict[str, Any], saved: Callable[..., str]
) -> None:
    local["models"]["base"]["path"] = saved("gpt2")
    plnd = {
        "label": "PLND", "method": "plnd", "top": 0.1, "consistency": 1, "remove": "any", "budget": {"fraction": 0.1},
    }  # fmt: skip
    local["mask_sets"]["plnd"] = {**plnd, "importance": "output"}
    assert failures(sources, local) == {}
    local["mask_sets"]["plnd"]["importance"] = "up_abs"
    message = failures(sources, local)["models.base"]
    assert message.startswith("importance: up_abs ranks by the output of the up projection beside a gate")


def test_gates_that_a_model_lacks_fail_before_anything_runs(
    local: dict[str, Any], saved: Callable[..., str]
) -> None:
    local["models"]["chat"]["path"] = saved("gpt2")
    assert failures(sources, local) == {}
    how = {"op": "add", "number": 1, "site": "gate"}
    local["mask_sets"]["crane"]["intervention"] = how
    assert failures(sources, local) == {
        "models.chat": "an intervention changes gates (site: gate), and model 'chat' has MLPs without a gate; set "
        "site: value"
    }
    local["mask_sets"]["crane"]["intervention"] = {**how, "site": "value"}
    assert failures(sources, local) == {}
