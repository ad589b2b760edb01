"""Models, texts, data sets and judges before anything is submitted: what is missing is named."""

import copy
import re
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from crane.artefacts import write_json, write_table
from crane.models.errors import ModelError
from crane.preflight.checks import make, render
from crane.preflight.sources import judges, sources
from crane.study.study import Study
from safetensors.torch import load_file, save_file
from support.failed_checks import failures
from support.git_lfs import LFS_POINTER
from support.study_config import GPT
from transformers import AutoConfig


def test_what_is_there_passes(local: dict[str, Any]) -> None:
    checks = make(sources(Study(local)))
    assert all(check.passed for check in checks), render(checks)
    assert {check.name for check in checks} >= {"models.base", "corpora.vi", "open_questions.files.zh"}


def test_a_missing_model_corpus_question_file_and_benchmark_are_named(
    local: dict[str, Any], tmp_path: Path
) -> None:
    local["models"]["chat"]["path"] = str(tmp_path / "nowhere")
    for name in ("en.txt", "open-en.jsonl", "vi.jsonl"):
        (tmp_path / name).unlink()
    failed = failures(sources, local)
    assert set(failed) == {"models.chat", "corpora.en", "open_questions.files.en", "benchmarks.quiz_vi.data"}
    assert "no such model folder" in failed["models.chat"]


def test_a_model_of_another_shape_fails(local: dict[str, Any]) -> None:
    for model in local["models"].values():
        model["layers"] = 4
    assert "has 3 layers of 48 neurons" in failures(sources, local)["models.base"]


@pytest.mark.parametrize("section", ["corpora", "perplexity"])
def test_samples_beyond_a_models_positions_fail(local: dict[str, Any], section: str) -> None:
    local.setdefault(
        "perplexity", {"documents": 5, "max_tokens": 20, "mask_sets": ["crane"], "transfer": False}
    )
    local[section]["max_tokens"] = 97
    failed = failures(sources, local)
    assert set(failed) == {"models.base"}  # the other model reads no texts
    wanted = f"samples of 97 tokens ({section}.max_tokens): model 'base' has positions for 96; lower it"
    assert failed["models.base"] == wanted
    local[section]["max_tokens"] = 96
    assert failures(sources, local) == {}


def test_a_model_whose_configuration_is_damaged_fails(
    local: dict[str, Any], model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in model_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "config.json").write_text('{"model_type": "lla')
    local["models"]["chat"]["path"] = str(folder)
    assert "no readable config.json" in failures(sources, local)["models.chat"]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Whose access was checked, in an empty folder; every repository has 2.5 GB."""
    asked: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "crane.preflight.sources.check_access", lambda repository, *_: asked.append(repository) or 2.5e9
    )
    monkeypatch.setattr("crane.preflight.texts.check_url", lambda url: asked.append(url) or 1000)
    return asked


def _text(config: dict[str, Any], name: str) -> str:
    return dict(sources(Study(config)))[name]()


def test_what_was_downloaded_is_believed_at_its_own_pin_only(
    paper: dict[str, Any], offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crane.models.folders.check_folder", lambda *_, **__: AutoConfig.for_model("llama"))
    for section, name in (("models", "base"), ("datasets", "mmlu")):
        pin = paper[section][name]
        repository, revision = pin["repository"], pin["revision"]
        assert _text(paper, f"{section}.{name}") == f"{repository} at {revision[:12]}, 2.50 GB to download"
        folder = f"{Study(paper).results}/{section}/{name}"
        Path(folder).mkdir(parents=True)
        write_json(
            {"source": repository, "revision": revision, "commit": revision}, f"{folder}/manifest.json"
        )
        offered.clear()
        assert _text(paper, f"{section}.{name}") == f"{folder}, downloaded"
        assert not offered
        pin["revision"] = "0" * 40
        anew = f"{repository} at 000000000000, 2.50 GB to download anew: {folder} is {repository} at {revision[:12]}"
        assert _text(paper, f"{section}.{name}") == anew
        assert offered == [repository]
        pin.update(repository="another/one", revision=revision)
        assert _text(paper, f"{section}.{name}").startswith(
            f"another/one at {revision[:12]}, 2.50 GB to download anew"
        )


def test_a_downloaded_model_is_checked_like_a_local_one(
    local: dict[str, Any], offered: list[str], model_folder: Path
) -> None:
    pin = local["models"]["base"]
    pin.update(source="hub", repository="maker/tiny", revision="0" * 40)
    del pin["path"]
    folder = Path(Study(local).results) / "models" / "base"
    shutil.copytree(model_folder, folder)
    write_json({"source": pin["repository"], "revision": pin["revision"]}, folder / "manifest.json")
    assert _text(local, "models.base") == f"{folder}, downloaded"
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.safetensors: cut or damaged, 0 bytes"):
        _text(local, "models.base")


@pytest.fixture
def with_masks(local: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The study with masks from a file, `masks.pth`, of lists for en and vi."""
    languages = ["en", "vi"]
    local["mask_sets"]["theirs"] = {
        "label": "Theirs", "method": "import", "file": str(tmp_path / "masks.pth"),
        "languages": [*languages, *(language for language in local["languages"] if language not in languages)],
    }  # fmt: skip
    return local


def _write_masks(config: dict[str, Any], content: list[Any]) -> None:
    masks = config["mask_sets"]["theirs"]
    torch.save([content] * len(masks["languages"]), masks["file"])


def test_masks_from_a_file_are_read_and_counted(with_masks: dict[str, Any]) -> None:
    _write_masks(with_masks, [torch.tensor([1, 47]), torch.tensor([2]), torch.tensor([5])])
    assert _text(with_masks, "mask_sets.theirs.file").endswith(
        "masks.pth, 4 neurons of en, 4 neurons of zh, 4 neurons of vi"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.tensor([1])] * 4, r"masks\.pth: the masks are for 4 layers, the model has 3"),
        ([torch.tensor([48])] * 3, r"masks\.pth: en: neuron 48 does not exist, the model has 48 per layer"),
        ([torch.zeros(48, dtype=torch.bool)] * 3, r"masks\.pth: en, layer 0: a tensor of bool"),
    ],
)
def test_masks_that_do_not_fit_fail(with_masks: dict[str, Any], content: list[Any], message: str) -> None:
    _write_masks(with_masks, content)
    (failed,) = failures(sources, with_masks).items()
    assert failed[0] == "mask_sets.theirs.file" and re.search(message, failed[1])


def test_all_models_are_checked_whole_at_once(
    local: dict[str, Any], tmp_path: Path, model_folder: Path
) -> None:
    for name, damage in (("base", "wte"), ("chat", "lfs")):
        folder = shutil.copytree(model_folder, tmp_path / name)
        local["models"][name]["path"] = str(folder)
        weights = load_file(folder / "model.safetensors")
        if damage == "wte":
            save_file({f"wte.{key}": value for key, value in weights.items()}, folder / "model.safetensors")
        else:
            (folder / "tokenizer.json").write_text(LFS_POINTER)
    failed = failures(sources, local)
    assert failed.keys() == {"models.base", "models.chat"}
    assert "remove the prefix 'wte.'" in failed["models.base"]
    assert "git-LFS pointers instead of files: tokenizer.json" in failed["models.chat"]


def test_a_local_model_that_becomes_one_of_the_hub_is_downloaded(
    paper: dict[str, Any], offered: list[str]
) -> None:
    folder = f"{Study(paper).results}/models/base"
    Path(folder).mkdir(parents=True)
    write_json({"source": "/models/llama", "sha256": {}}, f"{folder}/manifest.json")
    assert _text(paper, "models.base").endswith(f"to download anew: {folder} is /models/llama")


def test_a_pool_of_documents_is_believed_as_it_was_drawn_only(
    paper: dict[str, Any], offered: list[str]
) -> None:
    study = Study(paper)
    drawn = study.pick("corpora.column", "corpora.max_files", "corpora.pool", "corpora.seed")
    assert "of which at most 8 files are read" in _text(paper, "corpora.vi")
    path = Path(study.inputs.documents("vi"))
    params = {"pin": study.inputs.corpus_files("vi"), "corpus": drawn}
    write_table(pd.DataFrame({"text": ["a"]}), path, {"params": params})
    offered.clear()
    assert _text(paper, "corpora.vi") == f"{path}, downloaded"
    assert not offered
    for key, value in {"revision": "0" * 40, "pool": 30000}.items():
        changed = copy.deepcopy(paper)
        changed["corpora"][key] = value
        assert f"anew: {path} was drawn from others, or otherwise" in _text(changed, "corpora.vi")
    assert offered == ["wikimedia/wikipedia"] * 2


def test_without_a_network_every_download_says_so(
    local: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    local["open_questions"]["files"]["en"] = {"url": "http://127.0.0.1:9/en.txt", "sha256": "0" * 64}
    assert "connection to 127.0.0.1:9" in failures(sources, local)["open_questions.files.en"]
    path = Path(Study(local).inputs.questions("en"))
    path.parent.mkdir(parents=True)
    path.write_text("Why?\n", encoding="utf-8")
    assert "line 1: no 'reference'" in failures(sources, local)["open_questions.files.en"]
    local["judges"] = {"gpt": GPT}
    assert not failures(sources, local)


def test_a_judge_without_a_key_fails(local: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    local["judges"] = {
        "gpt": {"kind": "openai", "label": "GPT", "model": "m", "prompt": "crane", "output": "text",
                "max_tokens": 10, "attempts": 1, "key_variable": "OPENAI_API_KEY", "base_url": "http://127.0.0.1:9/v1"}
    }  # fmt: skip
    (check,) = make(judges(Study(local)))
    assert not check.passed and "OPENAI_API_KEY is not set" in check.text


def test_a_judge_that_does_not_answer_is_not_waited_for(
    local: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none-of-your-business")
    monkeypatch.setattr("crane.preflight.sources.PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        local["judges"] = {
            "gpt": {"kind": "openai", "label": "GPT", "model": "m", "prompt": "crane", "output": "text",
                    "max_tokens": 10, "attempts": 1, "key_variable": "OPENAI_API_KEY",
                    "base_url": f"http://127.0.0.1:{silent.getsockname()[1]}/v1"}
        }  # fmt: skip
        start = time.monotonic()
        (check,) = make(judges(Study(local)))
    assert not check.passed and "no reply within 0.2 s" in check.text
    assert time.monotonic() - start < 10  # six more attempts would take longer: their pauses grow
