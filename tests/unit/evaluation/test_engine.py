"""What the engines share: which settings of a model folder count."""

from pathlib import Path

import numpy as np
import pytest
from crane.artefacts import write_json
from crane.evaluation.engine import Prompt, end_tokens
from crane.evaluation.hf import HuggingFaceEngine
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.masked_checkpoint import export_masked
from crane.neurons.neuron_set import NeuronSet

INHERITED = [
    {"num_beams": 3, "do_sample": True, "temperature": 0.6, "min_new_tokens": 5},
    {"do_sample": False, "temperature": 0.6, "repetition_penalty": 1.9, "max_length": 4},
    {"no_repeat_ngram_size": 1, "bad_words_ids": [[5]], "suppress_tokens": [7, 8, 9]},
    {"penalty_alpha": 0.6, "top_k": 4},
]


def answers(folder: Path) -> list[tuple[str, str]]:
    engine = HuggingFaceEngine(folder)
    prompts = [Prompt(engine.tokenizer(text).input_ids, ()) for text in ("Paris is in", "Why?")]
    return [tuple(answer) for answer in engine.generate(prompts, max_new_tokens=12, context=64)]


@pytest.mark.parametrize("inherited", INHERITED)
def test_generation_settings_of_the_folder_change_no_answer(
    copied_model: Path, inherited: dict[str, object]
) -> None:
    plain = answers(copied_model)
    write_json({"eos_token_id": 1, **inherited}, copied_model / "generation_config.json")
    assert answers(copied_model) == plain


def test_the_end_tokens_of_the_folder_count(copied_model: Path) -> None:
    tokenizer, config = load_tokenizer(copied_model), load_model(copied_model).config
    own = tokenizer.eos_token_id
    write_json({"eos_token_id": [own, 9]}, copied_model / "generation_config.json")
    assert end_tokens(copied_model, tokenizer, config) == {own, 9}
    (copied_model / "generation_config.json").unlink()
    config.eos_token_id = 7
    assert end_tokens(copied_model, tokenizer, config) == {own, 7}


@pytest.mark.parametrize("inherited", INHERITED)
def test_a_masked_checkpoint_has_the_generation_settings_of_its_source(
    copied_model: Path, tmp_path: Path, inherited: dict[str, object]
) -> None:
    write_json(inherited, copied_model / "generation_config.json")
    neurons = NeuronSet({"en": {0: np.array([1, 2])}}, layers=3)
    export_masked(copied_model, tmp_path / "out", neurons, "en", {})
    exported = tmp_path / "out" / "generation_config.json"
    assert exported.read_bytes() == (copied_model / "generation_config.json").read_bytes()
