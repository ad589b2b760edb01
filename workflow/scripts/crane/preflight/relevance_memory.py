"""How the relevance of a study's model will pass through the memory of a GPU."""

from crane.preflight.assumptions import hidden_width
from crane.relevance.accumulated_columns import BYTES
from crane.relevance.memory import BATCH_TOKENS, SWEEP_TOKENS, Fit, Shape, fit
from crane.study.study import Study

_VOCABULARY = 32_000
"""Of embedding and output layer, which a study does not state (LLaMA-2)."""


def relevance_shape(study: Study, parameters: float) -> Shape:
    """Return the shape of the identification model as the study describes it.

    Args:
        study: the study.
        parameters: of the model.
    """
    model = study.config["models"][study.identification_model]
    layers, intermediate = model["layers"], model["intermediate_size"]
    hidden = round(hidden_width(parameters, layers, intermediate))
    value = 4 if study.config["relevance"]["dtype"] == "float32" else 2
    other = min(2.0 * _VOCABULARY * hidden, parameters / 2)
    masks = study.masks
    most = max(sum(BYTES[name] for name in masks.accumulators(run)) for run in ["", *masks.used_variants])
    per_layer = value * (parameters - other) / layers
    return Shape(layers, hidden, intermediate, per_layer, value * other, value, accumulated=most)


def relevance_fit(study: Study, parameters: float, memory: float) -> Fit:
    """Return how relevance passes through a GPU of a memory (bytes).

    Raises:
        TooSmallError: a single sample does not fit.
    """
    settings = study.config["relevance"]
    return fit(
        relevance_shape(study, parameters),
        min(memory, settings.get("memory_gb", memory) * 1e9),
        longest=study.config["corpora"]["max_tokens"],
        batch_tokens=settings.get("batch_tokens", BATCH_TOKENS),
        sweep_tokens=settings.get("sweep_tokens", SWEEP_TOKENS),
        rows=settings.get("batch_size"),
    )
