"""Tiny models, a tiny model folder, the configurations, and the way to the real data."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import settings as hypothesis_settings
from support.models import FAMILIES, FAMILIES_WITH_EXPERTS, build_model, build_tokenizer, make_padded
from support.places import ROOT
from torch import Tensor
from transformers import PreTrainedTokenizerFast

# The same examples in every run, and no folder of failures in the repository.
hypothesis_settings.register_profile("crane", derandomize=True)
hypothesis_settings.load_profile("crane")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Any]:
    """Return `build_model(family, seed=..., **config)`."""
    return build_model


@pytest.fixture
def llama() -> Any:
    """Return a fresh tiny LLaMA."""
    return build_model("llama")


@pytest.fixture(params=FAMILIES)
def any_model(request: pytest.FixtureRequest) -> Any:
    """Return a fresh tiny model of each supported family without experts."""
    return build_model(request.param)


@pytest.fixture(params=FAMILIES_WITH_EXPERTS)
def with_experts(request: pytest.FixtureRequest) -> Any:
    """Return a fresh tiny model of each supported family with experts."""
    return build_model(request.param)


@pytest.fixture(params=[*FAMILIES, *FAMILIES_WITH_EXPERTS])
def every_model(request: pytest.FixtureRequest) -> Any:
    """Return a fresh tiny model of each supported family."""
    return build_model(request.param)


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., tuple[Tensor, Tensor]]:
    """Return `make_padded(lengths, seed=0)`."""
    return make_padded


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Return the tiny tokenizer; BOS 0, EOS 1, padding 2, unknown 3."""
    return build_tokenizer()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Return a Hugging Face folder: tiny LLaMA of 96 positions, tokenizer, safetensors. Do not change it."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    build_model("llama", seed=3, vocabulary=len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def copied_model(model_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, which a test may change."""
    return shutil.copytree(model_folder, tmp_path / "model")


@pytest.fixture(scope="session")
def demo_config() -> dict[str, Any]:
    """Return the demo's configuration. Do not change it: copy it."""
    return yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def paper_config() -> dict[str, Any]:
    """Return the configuration of the paper's study. Do not change it: copy it."""
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the data that are not in the repository; skip where it is not given."""
    folder = os.environ.get("CRANE_REAL_DATA")
    if not folder:
        pytest.skip("CRANE_REAL_DATA is not set")
    return Path(folder)
