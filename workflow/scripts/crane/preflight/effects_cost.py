"""The cost of measuring the effects of single neurons, for the calibration."""

from crane.preflight.assumptions import Assumptions
from crane.preflight.token_counts import held_out_tokens
from crane.study.study import Study

FLOAT32 = 16
"""Time of a product in float32 in that of one in bfloat16: 312 to 19.5 TFLOP/s of an A100, 989 to 67 of an H100."""
VALUE_BYTES = 8
"""Size of one ablation's effect on one text in the store of parts."""
ROW_BYTES = 50
"""Size of one ablation's effect on one language, compressed."""


def effects_cost(study: Study, assumed: Assumptions, size: float) -> tuple[float, float]:
    """Return the GPU seconds and the bytes of all ablations of `calibration`, start of the job included.

    An ablation passes through the layers from its own on, half of them on average, in float32.

    Args:
        study: the study, with the section `calibration`.
        assumed: assumptions.
        size: parameters of the identification model.
    """
    asked, model = study.calibration, study.identification_model
    units = asked["neurons"] + asked["groups"]
    share = asked["documents"] / study.config["perplexity"]["documents"]
    tokens = sum(
        min(
            share * held_out_tokens(study, model, language, assumed), asked["documents"] * asked["max_tokens"]
        )
        for language in study.languages
    )
    seconds = assumed.compute(FLOAT32 * 2 * size * tokens * units / 2) + 60 * assumed.start_minutes
    return seconds, units * len(study.languages) * (asked["documents"] * VALUE_BYTES + ROW_BYTES)
