"""A drawn null of many random mask sets on a part of the questions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from crane.names import NO_MASK, ORIGINAL
from crane.neurons.neuron_set import NeuronSet
from crane.scores.sampled_null import sampled_null
from crane.selection.random_like import random_like
from crane.study.study import SAMPLED, Study


def drawn_null(study: Study, masks: Mapping[str, NeuronSet], width: int) -> pd.DataFrame:
    """Return every mask among random ones; their scores are drawn.

    Args:
        study: with `evaluation.sample`.
        masks: mask set -> its neurons.
        width: neurons per layer.
    """
    sets = study.masks
    groups = sets.groups([*sets.hypotheses, *sets.sampled])
    asked = {name: masks[name] for name in sets.hypotheses}
    for name, settings in sets.sampled.items():
        asked[name] = random_like(asked[settings["match"]], width, settings["seed"])
    layers = {
        name: {code: {"layers": mask.counts().loc[code].tolist()} for code in mask}
        for name, mask in asked.items()
    }
    rng = np.random.default_rng(7)
    means = [
        {
            "model": model, "suite": part.removeprefix(SAMPLED), "mask_set": name, "mask_language": code,
            "language": language, "questions": 30, "of": 40, "score": rng.uniform(0.3, 0.9),
        }
        for model in study.evaluated_models
        for part in study.sampled_parts(model)
        for name, mask in [(ORIGINAL, [NO_MASK]), *asked.items()]
        for code in mask
        for language in study.languages
    ]  # fmt: skip
    return sampled_null(pd.DataFrame(means), groups, layers)
