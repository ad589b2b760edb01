"""Score and answer under masks with a model in several processes; run by test_vllm_processes.py in one of its own."""

import json
import sys
from pathlib import Path
from typing import Any

import vllm
from crane.evaluation.engine import Prompt, Question
from crane.evaluation.vllm import VllmEngine
from crane.neurons.neuron_set import NeuronSet


class Compiled(vllm.LLM):
    """vLLM with compiled graphs, as on a GPU; on a CPU our engine asks for none."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"enforce_eager": False})


def main(model: str, folder: Path, workers: int, mode: str) -> None:
    """Do the work of `work.json` under every mask of the folder's mask files; write `result.json`."""
    work = json.loads((folder / "work.json").read_text(encoding="utf-8"))
    if mode == "compiled":
        vllm.LLM = Compiled
    engine = VllmEngine(model, dtype="float32", tensor_parallel_size=workers)
    result: dict[str, Any] = {
        "workers": engine.llm.collective_rpc("neuron_mask_shape"),
        "compiled": engine.llm.collective_rpc("neuron_mask_runner")[0]["compiled"],
    }
    for path in folder.glob("*.parquet"):
        masks = NeuronSet.read_parquet(path)
        result[path.stem] = {}
        for language in masks:
            with engine.masked(masks, language):
                scored = engine.score([Question(*question) for question in work["questions"]])
                answers = engine.generate([Prompt(ids, ()) for ids in work["prompts"]], max_new_tokens=8)
            result[path.stem][language] = {
                "scored": [values.tolist() for values in scored],
                "answers": [answer.text for answer in answers],
            }
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
