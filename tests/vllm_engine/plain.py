"""Answer with a model folder in plain vLLM, which knows of no masks; run by test_vllm.py in a process of its own."""

import json
import sys
from pathlib import Path

from vllm import LLM, SamplingParams


def main(model: str, folder: Path) -> None:
    """Answer the prompts (token ids) of `prompts.json` greedily; write `plain.json`."""
    prompts = json.loads((folder / "prompts.json").read_text(encoding="utf-8"))
    llm = LLM(model, dtype="float32", enforce_eager=True, max_model_len=256)
    settings = SamplingParams(temperature=0, max_tokens=8, logprobs=0, ignore_eos=True)
    found = llm.generate([{"prompt_token_ids": ids} for ids in prompts], settings)
    answers = [
        [(token, step[token].logprob) for token, step in zip(o.token_ids, o.logprobs or (), strict=True)]
        for output in found
        for o in output.outputs
    ]
    (folder / "plain.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
