"""Tokenizers fit their model, come from tokenizer.model alone, and render their template, or the fault is told."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from crane.models import sentencepiece_models
from crane.models.families import FAMILIES
from crane.models.folders import check_whole
from crane.models.tokenizers import load_tokenizer
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from support import stock_tokenizers
from support.git_lfs import LFS_POINTER
from support.model_folders import refused, set_json
from support.models import SENTENCES, build_model
from support.places import SCRIPTS
from transformers import AutoTokenizer, GPT2Config

TEXTS = [*SENTENCES[:3], "Thủ đô của Việt Nam là Hà Nội.", "北京在中国。", "x"]


def _tokenizer_json(folder: Path, **changes: Any) -> dict[str, Any]:
    stated = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) | changes
    (folder / "tokenizer.json").write_text(json.dumps(stated), encoding="utf-8")
    return stated


# Larger than the embedding ------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [1, 2, 7])
def test_tokens_without_a_row_are_named(copied_model: Path, more: int) -> None:
    tokenizer = load_tokenizer(copied_model)
    tokenizer.add_tokens([f"<extra{number}>" for number in range(more)])
    tokenizer.save_pretrained(copied_model)
    message = refused(copied_model)
    assert "larger than the model's embedding of 140 rows, which has none for '<extra0>' (140)" in message
    assert message.count("<extra") == min(more, 5)
    assert ("and 2 more" in message) == (more == 7)


def test_a_padding_token_in_added_tokens_alone_is_named(tmp_path: Path) -> None:
    """As in LLaMA-2 tunes with `<pad>` 32000 beside an embedding of 32000 rows."""
    rows = stock_tokenizers.write("gpt2", tmp_path)
    build_model("gpt2", vocabulary=rows).save_pretrained(tmp_path)
    stated = _tokenizer_json(tmp_path)
    check_whole(tmp_path)
    pad = {**stated["added_tokens"][0], "id": rows, "content": "<pad>"}
    _tokenizer_json(tmp_path, added_tokens=[*stated["added_tokens"], pad])
    assert f"which has none for '<pad>' ({rows})" in refused(tmp_path)


@pytest.mark.parametrize("rows", [141, 192])
def test_an_embedding_with_spare_rows_is_usual(tmp_path: Path, tokenizer: Any, rows: int) -> None:
    build_model("llama", vocabulary=rows).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    check_whole(tmp_path)


# Damaged, or of another kind ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "{", "{}", "[]", "null", '{"version": "1.0", "model": {"type": "New"}}']
)
def test_a_damaged_tokenizer_is_told(copied_model: Path, content: str) -> None:
    (copied_model / "tokenizer.json").write_text(content)
    assert "no readable tokenizer (" in refused(copied_model)


@pytest.mark.parametrize("place", [10, 1000, 4000, -2])
def test_a_tokenizer_cut_anywhere_is_told(copied_model: Path, place: int) -> None:
    path = copied_model / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:place])
    assert "no readable tokenizer (" in refused(copied_model)


@pytest.mark.parametrize("content", ["", "{", "\x00"])
def test_damaged_settings_of_a_tokenizer_are_told(copied_model: Path, content: str) -> None:
    (copied_model / "tokenizer_config.json").write_text(content)
    assert "no readable tokenizer_config.json (" in refused(copied_model)


def test_an_empty_vocabulary_is_told(copied_model: Path) -> None:
    stated = _tokenizer_json(copied_model)
    _tokenizer_json(copied_model, model=stated["model"] | {"vocab": {"<unk>": 0}, "merges": []})
    assert "has none for plain text" in refused(copied_model)


def _apart(folder: Path, kind: str) -> None:
    """Write GPT-2's tokenizer as vocab.json and merges.txt."""
    rows = stock_tokenizers.write("gpt2", folder)
    build_model("gpt2", vocabulary=rows).save_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))


def test_vocabulary_and_merges_in_two_files_are_a_tokenizer(tmp_path: Path) -> None:
    stock_tokenizers.write("gpt2", tmp_path / "one")
    GPT2Config().save_pretrained(tmp_path / "one")
    _apart(tmp_path / "two", "GPT2Tokenizer")
    check_whole(tmp_path / "two")
    one, two = load_tokenizer(tmp_path / "one"), load_tokenizer(tmp_path / "two")
    assert [one(text).input_ids for text in TEXTS] == [two(text).input_ids for text in TEXTS]


@pytest.mark.parametrize("fault", ["no merges", "another class", "pointer"])
def test_half_a_tokenizer_is_told(tmp_path: Path, fault: str) -> None:
    _apart(tmp_path, "LlamaTokenizer" if fault == "another class" else "GPT2Tokenizer")
    if fault == "no merges":
        (tmp_path / "merges.txt").unlink()
    elif fault == "pointer":
        (tmp_path / "merges.txt").write_text(LFS_POINTER)
    assert {
        "no merges": "no readable tokenizer (",
        "another class": "has none for plain text",
        "pointer": "git-LFS pointers instead of files: merges.txt",
    }[fault] in refused(tmp_path)


# tokenizer.model alone ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> bytes:
    """A SentencePiece model with LLaMA's settings."""
    content = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([*SENTENCES, *TEXTS] * 3), model_writer=content, model_type="bpe", vocab_size=420,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        character_coverage=1.0, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    return content.getvalue()


@pytest.fixture
def alone(tmp_path: Path, trained: bytes) -> Path:
    """A folder whose tokenizer is tokenizer.model alone, as that of Vicuna."""
    build_model("llama", vocabulary=420, bos_token_id=1, eos_token_id=2, pad_token_id=0).save_pretrained(
        tmp_path
    )
    (tmp_path / "tokenizer.model").write_bytes(trained)
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"legacy": False}))
    return tmp_path


@pytest.mark.parametrize(
    "beside", ["as published", "no settings", "mistral", "qwen2", "gemma", "special tokens"]
)
def test_tokenizer_model_alone_encodes_as_sentencepiece_does(
    alone: Path, trained: bytes, beside: str
) -> None:
    if beside == "no settings":
        (alone / "tokenizer_config.json").unlink()
    elif beside == "special tokens":
        (alone / "special_tokens_map.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
    elif beside != "as published":
        model = build_model(beside, vocabulary=420, bos_token_id=1, eos_token_id=2, pad_token_id=0)
        model.save_pretrained(alone)
    check_whole(alone)
    tokenizer, model = load_tokenizer(alone), SentencePieceProcessor(model_proto=trained)
    for text in TEXTS:
        assert tokenizer(text).input_ids == [1, *model.encode(text)]
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True).strip() == text


@pytest.mark.parametrize("place", [0, 1, 50, 3000, -1])
def test_a_tokenizer_model_cut_anywhere_is_told(alone: Path, trained: bytes, place: int) -> None:
    (alone / "tokenizer.model").write_bytes(trained[:place])
    assert "tokenizer.model is cut, damaged or no SentencePiece model" in refused(alone)


def test_a_tokenizer_model_that_is_a_pointer_is_told(alone: Path) -> None:
    (alone / "tokenizer.model").write_text(LFS_POINTER)
    assert "git-LFS pointers instead of files: tokenizer.model" in refused(alone)


def test_tokenizer_json_counts_before_tokenizer_model(copied_model: Path) -> None:
    before = load_tokenizer(copied_model)
    (copied_model / "tokenizer.model").write_bytes(b"not read")
    assert load_tokenizer(copied_model)(TEXTS).input_ids == before(TEXTS).input_ids


@pytest.mark.parametrize("package", ["sentencepiece", "protobuf"])
def test_an_environment_without_the_packages_is_told(
    alone: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(sentencepiece_models, f"is_{package}_available", lambda: False)
    assert "needs the packages sentencepiece and protobuf, which this environment lacks" in refused(alone)


def test_a_class_that_encodes_otherwise_is_refused(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        @staticmethod
        def from_pretrained(*_: Any, **__: Any) -> Any:
            return lambda *_, **__: type("Encoded", (), {"input_ids": [5]})

    for kind in ("AutoTokenizer", "LlamaTokenizer"):
        monkeypatch.setattr(sentencepiece_models, kind, Other)
    assert "encodes texts otherwise than tokenizer.model says" in refused(alone)


# Chat templates -----------------------------------------------------------------------------------------


def _template(folder: Path, template: str, place: str) -> None:
    if place == "chat_template.jinja":
        (folder / place).write_text(template)
    else:
        set_json(folder / "tokenizer_config.json", {"chat_template": template})


@pytest.mark.parametrize("place", ["chat_template.jinja", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system message') }}", r"cannot be rendered (no system message)"),
        ("{{ messages[0]['content'] | unheard_of }}", "cannot be rendered (No filter named 'unheard_of'"),
        ("{% for m in messages %}{{ m['content'] }}", "cannot be rendered ("),
        ("{{ messages[7]['content'] }}", "cannot be rendered ("),
        ("{{ messages[0]['content']() }}", "cannot be rendered ("),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "cannot be rendered ("),
        ("{% for m in messages %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endfor %}", "leaves out"),
        ("User: {{ question }}", "leaves out a user's message"),
    ],
)  # fmt: skip
def test_a_template_that_does_not_render_is_told(
    copied_model: Path, template: str, message: str, place: str
) -> None:
    _template(copied_model, template, place)
    told = refused(copied_model)
    assert message in told and "open_questions.chat_template: false" in told


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}",
        "{{ bos_token }}[INST] {{ messages[0]['content'] | trim }} [/INST]",
        "{% if tools %}{{ tools | tojson }}{% endif %}{{ strftime_now('%d %b %Y') }}{{ messages[-1].content }}",
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0]['content'] }}",
    ],
)
def test_usual_templates_pass(copied_model: Path, template: str) -> None:
    _template(copied_model, template, "chat_template.jinja")
    check_whole(copied_model)


def test_the_check_leaves_random_numbers_and_the_default_type_alone(copied_model: Path) -> None:
    before = torch.random.get_rng_state()
    check_whole(copied_model)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32


# The class that transformers chooses ---------------------------------------------------------------------


@pytest.mark.parametrize("stated", ["TokenizersBackend", "PreTrainedTokenizerFast"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_the_general_class_is_loaded_where_transformers_takes_it(
    tmp_path: Path, tokenizer: Any, kind: str, stated: str
) -> None:
    tokenizer.save_pretrained(tmp_path)
    set_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": stated})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    expected = AutoTokenizer.from_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert type(loaded) is type(expected)
    assert [loaded(text).input_ids for text in TEXTS] == [expected(text).input_ids for text in TEXTS]


def test_rendering_and_sampling_import_no_pytorch(model_folder: Path) -> None:
    """Importing it and what transformers imports with it takes longer than either task of the demo."""
    code = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
import render_prompts, sample_texts
from crane.models.configuration import stated_positions
from crane.models.tokenizers import load_tokenizer
load_tokenizer({str(model_folder)!r}), stated_positions({str(model_folder)!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
