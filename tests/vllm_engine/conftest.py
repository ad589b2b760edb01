"""A model folder that vLLM's CPU build runs, an engine on it, its masks, and questions in both forms."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crane.artefacts import write_json
from crane.demo.tokenizer import train_tokenizer
from crane.evaluation import benchmarks
from crane.evaluation.engine import Question
from crane.evaluation.engine import questions as questions_of
from crane.evaluation.hf import HuggingFaceEngine
from crane.evaluation.prompts import render_benchmark
from crane.evaluation.vllm import VllmEngine
from crane.models.tokenizers import load_tokenizer
from crane.neurons.neuron_set import NeuronSet

LAYERS, INTERMEDIATE, HIDDEN = 3, 96, 64
PLACES = ["Paris", "Ha Noi", "Beijing", "Tokyo", "Lima", "Oslo"]
COUNTRIES = ["France", "Viet Nam", "China", "Japan", "Peru", "Norway"]
FEWSHOTS = {"question_with_letters": (0, 5), "question_with_choices": (0,)}
TEXTS = [
    *(f"What is the capital of {c}?\nA. {p}\nAnswer: {p}" for c, p in zip(COUNTRIES, PLACES, strict=True)),
    *(f"{letter}. x\nAnswer: {letter}\n\n" for letter in "ABCD" * 10),
    "Which of these is the capital? Which city is it, and what is asked here?",
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, make_model: Any) -> Path:
    """Return a random LLaMA, float32, with heads as wide as the smallest that vLLM has a CPU kernel for.

    Its generation_config.json asks for what no engine may do.
    """
    path = tmp_path_factory.mktemp("vllm") / "llama"
    tokenizer = train_tokenizer(TEXTS, 360)
    model = make_model(
        "llama", seed=5, vocabulary=len(tokenizer), hidden_size=HIDDEN, intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS, num_attention_heads=2, num_key_value_heads=2, head_dim=32,
        max_position_embeddings=512,
    )  # fmt: skip
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    inherited = {"repetition_penalty": 1.9, "min_new_tokens": 6, "do_sample": True, "temperature": 0.7}
    write_json({"eos_token_id": tokenizer.eos_token_id, **inherited}, path / "generation_config.json")
    return path


@pytest.fixture(scope="session")
def engine(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """Yield an engine on that model, float32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CACHE_ROOT", str(tmp_path_factory.mktemp("vllm_cache")))
        yield VllmEngine(folder, dtype="float32", batch_size=16)


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test see another one's cache or path."""
    yield
    if "engine" in request.fixturenames:
        engine = request.getfixturevalue("engine")
        assert engine.llm.reset_prefix_cache()


@pytest.fixture(scope="session")
def masks() -> NeuronSet:
    """Return two masks of a quarter of all neurons each, spread over both tensor-parallel halves."""
    rng = np.random.default_rng(0)
    return NeuronSet.from_flags(rng.random((2, LAYERS, INTERMEDIATE)) < 0.25, ["en", "zh"])


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a JSONL file of 24 questions of four choices."""
    rows = []
    for number, (country, first) in enumerate(itertools.product(COUNTRIES, range(4))):
        choices = [PLACES[(first + i) % len(PLACES)] for i in range(4)]
        question = f"What is the capital of {country}, asked {number}?"
        rows.append({"question": question, "choices": choices, "answer": number % 4})
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def loaded(questions: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return lm-eval's loaded tasks by task and number of examples."""
    return {
        (task, fewshot): benchmarks.load(task, {"task": task, "fewshot": fewshot, "data": questions})
        for task, counts in FEWSHOTS.items()
        for fewshot in counts
    }


@pytest.fixture(scope="session")
def tasks(
    folder: Path, loaded: dict[tuple[str, int], dict[str, Any]]
) -> dict[tuple[str, int], list[Question]]:
    """Return the rendered questions by task and number of examples."""
    tokenizer = load_tokenizer(folder)
    return {
        key: questions_of(render_benchmark(key[0], found, {}, tokenizer, 512))
        for key, found in loaded.items()
    }


@pytest.fixture(scope="session")
def hf(folder: Path) -> HuggingFaceEngine:
    """Return the Hugging Face engine on that model, float32."""
    return HuggingFaceEngine(folder, dtype="float32")


@pytest.fixture(scope="session")
def written() -> NeuronSet:
    """Return a mask of a fifth of what the MLPs write."""
    flags = np.random.default_rng(1).random((1, LAYERS, HIDDEN)) < 0.2
    return NeuronSet.from_flags(flags, ["en"], site="residual_write")
